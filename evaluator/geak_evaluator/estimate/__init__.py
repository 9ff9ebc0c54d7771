"""What a plan would cost on a device, from counts and machine code: estimated, never measured."""

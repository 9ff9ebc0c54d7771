"""What the compiler made of each launch for every asked target: figures of the machine code, and a cache of them.

A candidate's process hands over Triton's IR as text (`frontend`), and that is all of it that goes on. The judge
(`compile`) looks each text up (`cache`) or gives it to a confined child of its own, which compiles it and reads the
figures off (`amd`, `nvidia`, `occupancy`). Importing this loads neither torch nor triton.
"""

"""First kernels for a spec: what TorchInductor emits for its reference, as whole files; all of it runs confined."""

import os
import sys

sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..")))

import torch
from performance_utils import Performance_Metrics, do_bench_config
from TritonBench_v1.row_shift import row_shift


class performance_metrics(Performance_Metrics):
    def __init__(self, dtype=None, is_backward=False, **kwargs):
        super().__init__("row_shift", dtype=dtype, is_backward=is_backward, **kwargs)

    def get_input_tensors(self):
        self.input_tensors = []
        for i in range(8, 11):
            self.input_tensors.append((torch.rand(2**i, 1024), torch.rand(1024)))

    def to_cuda(self, input_tensor):
        return tuple(one.cuda() for one in input_tensor)

    def call_op(self, input_tensor):
        return row_shift(*input_tensor)


if __name__ == "__main__":
    op_perf = performance_metrics()
    op_perf.get_input_tensors()
    op_perf.run_benchmark()

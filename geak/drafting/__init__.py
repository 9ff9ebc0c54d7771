"""Drafts spec files from a user's code, by parsing alone: it imports neither torch nor triton and runs nothing."""

from geak.drafting.blank import blank
from geak.drafting.draft import Draft, DraftError
from geak.drafting.kernel_file import from_kernel
from geak.drafting.sketch import Wanted
from geak.drafting.source import read
from geak.drafting.torch_file import from_torch

__all__ = ["Draft", "DraftError", "Wanted", "blank", "from_kernel", "from_torch", "read"]

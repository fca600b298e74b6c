"""The Hugging Face Hub as a DVC remote.

Installing the distribution is enough: its ``dvc_hf.pth`` teaches DVC the scheme when DVC is imported.
Where Python runs without ``.pth`` files, ``import dvc_hf`` or ``python -m dvc_hf`` does the same.
"""

from dvc_hf._autoload import install

__all__ = ["install"]

install()

"""Text in, policies or problems out."""

from autoscaler.policyfile.folder import PolicyFolder, load_folder
from autoscaler.policyfile.load import Loaded, PolicyFile, load_file, load_text
from autoscaler.policyfile.problems import LocatedProblem, PolicyError

__all__ = [
    "Loaded",
    "LocatedProblem",
    "PolicyError",
    "PolicyFile",
    "PolicyFolder",
    "load_file",
    "load_folder",
    "load_text",
]

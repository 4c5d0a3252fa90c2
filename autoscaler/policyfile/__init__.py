"""Text in, policies or problems out."""

from autoscaler.policyfile.load import Loaded, PolicyFile, load_file, load_folder, load_text
from autoscaler.policyfile.problems import LocatedProblem, PolicyError

__all__ = ["Loaded", "LocatedProblem", "PolicyError", "PolicyFile", "load_file", "load_folder", "load_text"]

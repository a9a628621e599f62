"""What a group needs once its jobs have ended: counts, checks, and the cleaning of its work folder.

The command does it itself where it waits for the jobs; on Slurm it is the group's last job.
"""

from __future__ import annotations

from dataclasses import dataclass

from llama_data.pipeline import summary
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import remove_tree
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.summary import DomainSummary


@dataclass(frozen=True)
class FinishStage:
    """Counts a stage's ledgers, checks them against the recipe's limits, and removes its work folder."""

    recipe: Recipe
    stage: str

    def count(self) -> tuple[list[DomainSummary], str | None]:
        """The counts of the stage's domains, and what is wrong with them."""
        context = self.recipe.context(self.stage)
        found = [summary.summarise(context, domain) for domain in self.recipe.ledgers(self.stage)]
        remove_tree(context.work(self.stage))
        return found, summary.problem(self.stage, found, self.recipe.failure_limit)

    def __call__(self) -> str:
        """The counts as a table. Raises RunError: no document is left, or too many records failed."""
        found, problem = self.count()
        if problem is not None:
            raise RunError(f"{summary.table(found)}\n{problem}")
        return summary.table(found)


@dataclass(frozen=True)
class RemoveWork:
    """Removes the work folder of a group."""

    recipe: Recipe
    name: str

    def __call__(self) -> str:
        """Say what is there now."""
        remove_tree(self.recipe.context().work(self.name))
        return f"{self.name}: done"

"""Which runs a call is about."""

from collections.abc import Collection, Iterable

from lib.runner import kept
from lib.runner.errors import UsageError
from lib.runner.plan import Plan, Run
from lib.runner.store import Store


def select(plan: Plan, store: Store, only: Iterable[str], skip: Iterable[str]) -> tuple[set[str], set[str]]:
    """Return the runs of this call, and those of them that were asked for rather than needed.

    Raises UsageError: a pattern names nothing, nothing is left, or a skipped run has no results for one that needs them.
    """
    skipped = plan.match(skip)
    asked_for = (plan.match(only) if only else set(plan.ids)) - skipped
    if not asked_for:
        raise UsageError("--only and --skip leave nothing to do")

    def lacking(run: Run) -> list[str]:
        # Results that the project keeps are without the predictions that a notebook may need.
        lacks = [name for name in run.needs if store.record(name) is None or store.as_made(name)]
        if gone := set(lacks) & skipped:
            raise UsageError(f"{run.id} needs the results of {min(gone)}, which is skipped and has none yet")
        return lacks

    return asked_for | plan.upstream(asked_for, lacking), asked_for


def outside(
    plan: Plan, store: Store, profile: str, required: Collection[str] = (), *, scratch: bool = False
) -> tuple[dict[str, str], set[str]]:
    """Return the runs that a profile does not execute, each with the profile that does, and those that can't be shown either.

    None of those `required` is among them, and from `scratch` no repeat. A run can't be shown where neither results nor a kept page of it are here; what
    needs such a one belongs to its profile.
    """
    away: dict[str, str] = {}
    nowhere: set[str] = set()
    archives = kept.archives(plan)
    for run in plan.order():
        other = "" if run.repeat and scratch else run.outside(profile)
        other = other or next((away[name] for name in run.needs if name in nowhere), "")
        if other and run.id not in required:
            away[run.id] = other
            if store.record(run.id) is None and run.id not in archives:
                nowhere.add(run.id)
    return away, nowhere

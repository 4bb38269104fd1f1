"""The soak runs, and finds what grows."""

import asyncio

import pytest

from benchmarks.soak import LOOK, Sample, findings, soak


def test_no_file_and_no_task_is_left_over() -> None:
    """Twenty rounds, ten hours of tokens and keys; memory needs the longer run of `make soak`."""
    result = asyncio.run(soak(0, least=20))
    assert result["rounds"] == 20
    assert [each for each in result["findings"] if not each.startswith("memory")] == []


@pytest.mark.parametrize(
    ("grows", "found"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"memory": 200 * LOOK}, ["memory grows by 200 bytes a round"], id="memory"),
        pytest.param({"files": 1}, ["files: 10 became 25"], id="files"),
        pytest.param({"tasks": 1, "threads": 1}, ["tasks: 10 became 25", "threads: 10 became 25"], id="tasks"),
    ],
)
def test_what_grows_is_found(grows: dict[str, int], found: list[str]) -> None:
    """Whatever is more at the end than at the beginning; what only goes up and down is not."""
    samples = []
    for number in range(20):
        held = dict.fromkeys(("memory", "files", "tasks", "threads"), 10)
        for name in held:
            held[name] += grows[name] * number if name in grows else number % 2
        samples.append(Sample(**held))
    assert findings(samples) == found


def test_a_soak_that_leaves_a_file_open_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule can fail: a round that forgets to close what it opened is found."""
    import benchmarks.soak

    forgotten = []
    live = benchmarks.soak.live

    async def forgetful(*arguments: object) -> None:
        forgotten.append(open("/dev/null", "rb"))  # noqa: ASYNC230, PTH123, SIM115 - that is the point
        await live(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(benchmarks.soak, "live", forgetful)
    result = asyncio.run(soak(0, least=5))
    for file in forgotten:
        file.close()
    assert any(each.startswith("left over") for each in result["findings"])

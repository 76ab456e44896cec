"""The form of commit messages, and the changelog that is drafted from them."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts import changelog
from scripts.changelog import Change, changes_in, draft

ROOT = Path(__file__).parents[2]


def commit_msg(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run the hook on a message as git does."""
    message = tmp_path / "COMMIT_EDITMSG"
    message.write_text(text)
    return subprocess.run(
        [sys.executable, ROOT / ".githooks" / "commit-msg", message],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "text",
    [
        "feat(api): list programs",
        "fix(transport)!: refuse hints without a run id\n\nThey woke nobody.\n\nISSUE-12",
        "docs(*): say it shorter",
        "Merge branch 'main' into topic",
        'Revert "feat(api): list programs"\n\nThis reverts commit 1234567.',
        "fixup! feat(api): list programs",
        "# a comment of git's\nfeat(api): list programs\n# another",
        "feat(api): list programs\n# ------------------------ >8 ------------------------\ndiff",
    ],
)
def test_a_message_in_angular_form_is_taken(tmp_path: Path, text: str) -> None:
    done = commit_msg(tmp_path, text)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its first line is no `type(scope): subject`"),
        ("list programs", "its first line is no `type(scope): subject`"),
        ("feat: list programs", "its first line is no `type(scope): subject`"),
        ("feature(api): list programs", "its first line is no `type(scope): subject`"),
        ("feat(api):list programs", "its first line is no `type(scope): subject`"),
        ("feat(api): list programs.", "its subject ends with a dot"),
        (f"feat(api): {'x' * 90}", "its first line has 101 characters, more than 100"),
        ("feat(api): list programs\nand more", "its second line is not blank"),
    ],
)
def test_a_refused_message_is_told_why_and_how_to_mend_it(
    tmp_path: Path, text: str, reason: str
) -> None:
    done = commit_msg(tmp_path, text)

    assert done.returncode == 1
    assert done.stderr.startswith(f"This commit message is refused: {reason}.\n")
    assert f"git commit --edit --file={tmp_path / 'COMMIT_EDITMSG'}" in done.stderr


def test_a_commit_that_users_do_not_notice_is_no_change() -> None:
    assert changes_in("refactor(engine): name the fence") == []
    assert changes_in("Merge branch 'topic'") == []


def test_a_feature_a_fix_and_a_speedup_are_changes() -> None:
    assert changes_in("feat(api): list programs\n\nBody") == [
        Change("Added", "api", "list programs")
    ]
    assert changes_in("fix(api): page") == [Change("Fixed", "api", "page")]
    assert changes_in("perf(sweep): index") == [Change("Faster", "sweep", "index")]


def test_what_breaks_is_told_in_the_footers_words() -> None:
    message = "feat(job): rename get\n\nBody\n\nBREAKING CHANGE: call\nread instead\n\nISSUE-3"

    assert changes_in(message)[0] == Change("Breaking", "job", "call read instead")


def test_what_breaks_without_a_footer_is_told_by_its_subject() -> None:
    assert changes_in("refactor(job)!: rename get") == [Change("Breaking", "job", "rename get")]


def test_a_draft_has_a_section_for_each_kind_and_what_breaks_first() -> None:
    changes = [
        Change("Fixed", "api", "page"),
        Change("Added", "api", "list"),
        Change("Breaking", "job", "rename get"),
        Change("Added", "api", "stop"),
    ]

    assert draft(changes) == (
        "### Breaking\n\n- **job:** rename get\n\n"
        "### Added\n\n- **api:** list\n- **api:** stop\n\n"
        "### Fixed\n\n- **api:** page"
    )


def test_the_changelog_begins_at_the_last_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(variable, raising=False)  # set where a git hook runs the tests
    git("init", "--quiet")
    commit("feat(api): list programs")
    changelog.main()
    assert capsys.readouterr().out == "### Added\n\n- **api:** list programs\n"

    git("tag", "v1")
    changelog.main()
    assert capsys.readouterr().out == "Nothing that users notice since v1.\n"

    commit("fix(api): page\n\nISSUE-3")
    changelog.main()
    assert capsys.readouterr().out == "### Fixed\n\n- **api:** page\n"


def commit(message: str) -> None:
    git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)


def git(*arguments: str) -> None:
    nobody = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", *nobody, "-c", "commit.gpgsign=false", *arguments], check=True)

"""Settings: whose word counts, and what is said to a person whose word cannot be meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geak.errors import UsageError
from geak.settings import TABLE, Settings
from geak.sources import changed, load
from geak_evaluator.schema.verdict import Policy

LAYERS = ("flag", "variable", ".env", "geak.toml", "pyproject.toml")
SOURCES = (
    *("--samples", "GEAK_SAMPLES", "GEAK_SAMPLES in .env", "samples in geak.toml", "samples in pyproject.toml"),
    "default",
)


def loaded(folder: Path, flags: dict[str, object] | None = None, **environ: str) -> Settings:
    return load(flags or {}, folder=folder, environ=environ).settings


@given(said=st.dictionaries(st.sampled_from(LAYERS), st.integers(2, 99)))
def test_the_first_layer_that_says_something_counts(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("settings")
    for name, text in (
        (".env", "GEAK_SAMPLES={}"),
        ("geak.toml", "samples={}"),
        ("pyproject.toml", "tool.geak.samples={}"),
    ):
        if name in said:
            (folder / name).write_text(text.format(said[name]))
    flags = {"samples": str(said["flag"])} if "flag" in said else {}
    environ = {"GEAK_SAMPLES": str(said["variable"])} if "variable" in said else {}
    resolved = load(flags, folder=folder, environ=environ)
    first = next((i for i, layer in enumerate(LAYERS) if layer in said), len(LAYERS))
    assert resolved.sources["samples"] == SOURCES[first]
    assert resolved.settings.samples == (said[LAYERS[first]] if first < len(LAYERS) else Settings().samples)


def test_only_files_of_this_folder_count(tmp_path):
    (tmp_path / "geak.toml").write_text("samples = 5")
    (tmp_path / ".env").write_text("GEAK_ROUNDS=7")
    (tmp_path / "below").mkdir()
    here, below = loaded(tmp_path), loaded(tmp_path / "below")
    assert (here.samples, here.rounds) == (5, 7)
    assert (below.samples, below.rounds) == (Settings().samples, Settings().rounds)


def test_a_folder_called_env_is_no_file_of_settings(tmp_path):
    (tmp_path / ".env").mkdir()
    assert loaded(tmp_path) == Settings()


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        ({"samples": "3"}, "samples", 3),
        ({"samples": 3}, "samples", 3),
        ({"usd": "0.5"}, "usd", 0.5),
        ({"usd": "none"}, "usd", None),
        ({"usd": None}, "usd", None),
        ({"tokens": "none"}, "tokens", None),
        ({"temperature": 0}, "temperature", 0),
        ({"effort": "none"}, "effort", "none"),
        ({"policy": "mixed"}, "policy", Policy.MIXED),
        ({"policy": Policy.OPEN}, "policy", Policy.OPEN),
        ({"target": ["MI300X", "h100", "gfx942"]}, "target", ("gfx942", "sm_90")),
        ({"target": ["MI300X,h100", "gfx942, sm_80"]}, "target", ("gfx942", "sm_90", "sm_80")),
        ({"target": "MI300X,h100"}, "target", ("gfx942", "sm_90")),
        ({"target": ()}, "target", ()),
        ({"judge": "ssh a, b\nssh c\n"}, "judge", ("ssh a, b", "ssh c")),
        ({"judge": ["ssh a, b"]}, "judge", ("ssh a, b",)),
        ({"allow_weak_sandbox": True}, "allow_weak_sandbox", True),
        ({"allow_weak_sandbox": "no"}, "allow_weak_sandbox", False),
        ({"runs": "~/runs"}, "runs", Path.home() / "runs"),
        ({"hint": "  as it is "}, "hint", "  as it is "),
    ],
)
def test_values_as_text_and_as_they_are(tmp_path, flags, field, value):
    assert getattr(loaded(tmp_path, flags), field) == value
    assert getattr(changed(Settings(), flags), field) == value


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"samples": "abc"}, "--samples: a whole number of at least 1 is wanted, not 'abc'"),
        ({"samples": 0}, "--samples: a whole number of at least 1 is wanted, not 0"),
        ({"samples": True}, "--samples: a whole number of at least 1 is wanted, not True"),
        ({"samples": 2.5}, "--samples: a whole number of at least 1 is wanted, not 2.5"),
        ({"samples": "9" * 5000}, "--samples: a whole number of at least 1 is wanted, not '999"),
        ({"usd": "-1"}, "--usd: a number of at least 0, or none, is wanted, not '-1'"),
        ({"usd": "nan"}, "--usd: a number of at least 0, or none, is wanted, not 'nan'"),
        ({"usd": "inf"}, "--usd: a number of at least 0, or none, is wanted, not 'inf'"),
        ({"usd": "$5"}, "--usd: a number of at least 0, or none, is wanted, not '$5'"),
        ({"temperature": 3}, "--temperature: a number from 0 to 2, or none, is wanted, not 3"),
        ({"effort": "most"}, "--effort: one of none, minimal, low, medium, high, xhigh, max is wanted, not 'most'"),
        ({"effort": []}, "--effort: one of none, minimal, low, medium, high, xhigh, max is wanted, not []"),
        ({"policy": "x"}, "--policy: one of pure, mixed, open is wanted, not 'x'"),
        ({"target": "gfx9000"}, "--target: there is no target 'gfx9000'; there are gfx942"),
        ({"target": 942}, "--target: a text or a list of texts is wanted, not 942"),
        ({"judge": [" "]}, "--judge: a text that is not empty is wanted, not ' '"),
        ({"allow_weak_sandbox": "maybe"}, "--allow-weak-sandbox: yes or no is wanted, not 'maybe'"),
        ({"model": 3}, "--model: a text is wanted, not 3"),
        ({"runs": ""}, "--runs: a path is wanted, not ''"),
        ({"sampels": 3}, "there is no setting 'sampels'; did you mean samples?"),
        ({"models": {}}, "there is no setting 'models'; did you mean model?"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_source(tmp_path, flags, message):
    with pytest.raises(UsageError) as told:
        load(flags, folder=tmp_path, environ={})
    assert str(told.value).startswith(message)
    assert len(str(told.value)) < 250


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("geak.toml", "samples = ", "geak.toml is no TOML: "),
        ("geak.toml", "samples = 'four'", "samples in geak.toml: a whole number of at least 1 is wanted, not 'four'"),
        ("geak.toml", "sample = 4", "geak.toml: there is no setting 'sample'; did you mean samples?"),
        (
            "geak.toml",
            "xyzzy = 4",
            "geak.toml: there is no setting 'xyzzy'; geak config show lists those that there are",
        ),
        ("geak.toml", "models = 4", "geak.toml: models holds tables, as in [models.NAME]"),
        ("geak.toml", "[models]\nlocal = 4", "geak.toml: models holds tables, as in [models.NAME]"),
        ("pyproject.toml", "[tool.geak]\nsample = 4", "pyproject.toml: there is no setting 'sample'"),
        ("pyproject.toml", "[tool]\ngeak = 4 # tool.geak", "pyproject.toml: tool.geak is a table of settings"),
        (".env", "GEAK_SAMPLES=abc", "GEAK_SAMPLES in .env: a whole number of at least 1 is wanted, not 'abc'"),
        (".env", "# secrets\n\nthis is 'no line\n", ".env, line 3: NAME=VALUE is wanted"),
    ],
)
def test_a_file_that_cannot_be_meant_is_told(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as told:
        loaded(tmp_path)
    assert str(told.value).startswith(message)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", [".env", "geak.toml", "pyproject.toml"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"# \xff tool.geak")
    with pytest.raises(UsageError, match=f"^{name} cannot be read: it is not UTF-8$"):
        loaded(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/proc/self/mem")
    with pytest.raises(UsageError, match=f"^{name} cannot be read: input/output error$"):
        loaded(tmp_path)


def test_another_tool_s_pyproject_is_none_of_our_business(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other\nbroken")
    assert loaded(tmp_path) == Settings()


def test_keys_are_looked_up_in_the_environment_first_and_nothing_is_written_back(tmp_path):
    (tmp_path / ".env").write_text("A_KEY=file\nexport B_KEY='of $HOME'\nC_KEY\n")
    before = dict(os.environ)
    settings = loaded(tmp_path, A_KEY="process")
    assert settings.environment == {"A_KEY": "process", "B_KEY": "of $HOME"}
    assert dict(os.environ) == before
    assert "process" not in repr(settings)
    assert "HOME" not in repr(load({}, folder=tmp_path, environ={}))


def test_an_empty_variable_says_nothing(tmp_path):
    assert load({}, folder=tmp_path, environ={"GEAK_SAMPLES": ""}).sources["samples"] == "default"


def test_tables_of_models_come_whole_from_one_file(tmp_path):
    (tmp_path / "geak.toml").write_text("[models.a]\nkind = 'command'\n")
    (tmp_path / "pyproject.toml").write_text("[tool.geak.models.a]\nprice = 3\n[tool.geak.models.b]\nkind = 'x'\n")
    resolved = load({}, folder=tmp_path, environ={})
    assert resolved.settings.models == {"a": {"kind": "command"}, "b": {"kind": "x"}}
    assert (resolved.sources["models.a"], resolved.sources["models.b"]) == ("geak.toml", "pyproject.toml")


def test_each_role_has_its_own_model_or_the_common_one():
    settings = Settings(model="scripted:a", reflector_model="scripted:b")
    assert settings.roles() == {
        "generator": "scripted:a",
        "reflector": "scripted:b",
        "optimizer": "scripted:a",
        "drafter": "scripted:a",
    }
    alone = Settings(generator_model="a", reflector_model="b", optimizer_model="c")
    assert "drafter" not in alone.roles()


@pytest.mark.parametrize(
    ("settings", "needed", "missing"),
    [
        (Settings(), ("drafter",), "no model is named for the drafter; "),
        (Settings(generator_model="a"), (), "no model is named for the reflector; "),
        (Settings(generator_model="a"), ("drafter",), "no model is named for the drafter; "),
    ],
)
def test_no_model_is_used_unless_it_is_named(settings, needed, missing):
    with pytest.raises(UsageError) as told:
        settings.roles(*needed)
    assert str(told.value).startswith(missing)
    assert all(word in str(told.value) for word in ("--model anthropic:NAME", "command:PROGRAM", "scripted:FILE"))


def test_every_setting_has_a_row_and_its_default_can_be_read_back():
    assert set(TABLE) == set(Settings.__dataclass_fields__) - {"models", "environment"}
    for name, setting in TABLE.items():
        default = getattr(Settings(), name)
        if default not in (None, ""):
            assert setting.read(default) == default

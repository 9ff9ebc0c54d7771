"""The templates that the roles speak through: Jinja2, strict about what they name."""

from __future__ import annotations

import functools
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geak.errors import UsageError
from geak.resources import data_dir

if TYPE_CHECKING:
    import jinja2


@functools.cache
def environment(folder: Path | None = None) -> jinja2.Environment:
    """The templates that ship; those of a folder of the user's, where it has one of the same name, come first."""
    import jinja2

    folders = [data_dir("prompts")] if folder is None else [folder, data_dir("prompts")]
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # what is rendered is read by a model, never by a browser
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        cache_size=400 if folder is None else 0,  # a template of the user's may come to be later than ours was read
    )


def check(folder: Path) -> None:
    """UsageError where a person's folder holds none of the templates that it could stand before."""
    if not folder.is_dir():
        raise UsageError(f"--prompts {folder}: there is no such folder")
    ours = data_dir("prompts")
    if not any((folder / path.relative_to(ours)).is_file() for path in ours.rglob("*.md*") if path.parent != ours):
        raise UsageError(f"--prompts {folder} holds no template of GEAK's; prompts/README.md names them")


def render(name: str, /, *, folder: Path | None = None, **values: Any) -> str:
    """A template's text; a template that names what there is not is an error for whoever wrote it."""
    import jinja2

    try:
        return environment(folder).get_template(name).render(values).strip() + "\n"
    except jinja2.TemplateNotFound as error:
        raise UsageError(f"there is no prompt template {error.name}; see prompts/README.md for what there is") from None
    except jinja2.TemplateSyntaxError as error:
        where = error.filename or error.name
        raise UsageError(f"{where}, line {error.lineno}: no Jinja2 template: {error.message}") from None
    except jinja2.UndefinedError as error:
        names = ", ".join(sorted(key for key, value in values.items() if not callable(value)))
        raise UsageError(f"{_place(error, name)}: {error.message}; it is given {names or 'nothing'}") from None
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise UsageError(f"{_place(error, name)}: {error}") from None


def _place(error: Exception, name: str) -> str:
    """The template, and its line, that an error came from: perhaps a part that another one includes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith((".j2", ".md"))]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else f"prompt template {name}"

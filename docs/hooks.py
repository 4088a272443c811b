"""Hooks of mkdocs: the tutorial as a page, and the repository's files that pages link to."""

import json
import posixpath
import re
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
COPIES = "repository"
_LINK = re.compile(r"\]\(((?:\.\./)+[^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the notebook by a page, and add the files outside docs/ that pages link to."""
    docs = Path(config.docs_dir)
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(notebook)
        page = markdown(json.loads((docs / notebook.src_uri).read_text()))
        files.append(File.generated(config, notebook.src_uri.replace(".ipynb", ".md"), content=page))
    for page in files.documentation_pages():
        for path in filter(None, (outside(link, page.src_uri) for link in _LINK.findall(page.content_string))):
            if (ROOT / path).is_file() and files.get_file_from_path(copy_of(path)) is None:
                files.append(File.generated(config, copy_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(text: str, page: Page, **_kwargs: object) -> str:
    """Point links at the pages and copies that `on_files` has made."""
    here = posixpath.dirname(page.file.src_uri)

    def point(link: re.Match[str]) -> str:
        path = outside(link[1], page.file.src_uri)
        return link[0] if path is None else f"]({posixpath.relpath(copy_of(path), here or '.')}"

    return _LINK.sub(point, text.replace("tutorial.ipynb", "tutorial.md"))


def outside(link: str, page: str) -> str | None:
    """The path in the repository of a link that leaves docs/; None for one that stays."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    return None if path.startswith("docs/") else path


def copy_of(path: str) -> str:
    """Where the site has a file of the repository: text as text, whatever it is, and pictures as they are."""
    return f"{COPIES}/{path}" + ("" if path.endswith((".png", ".svg")) else ".txt")


def markdown(notebook: dict[str, Any]) -> str:
    """A notebook as Markdown: code, what it printed, and its pictures."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += [shown(output) for output in cell.get("outputs", [])]
    return "\n\n".join(parts) + "\n"


def shown(output: dict[str, Any]) -> str:
    """One output: a picture, HTML, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="Figure" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if "text/html" in data:
        return '<div class="output">' + " ".join("".join(data["text/html"]).split()) + "</div>"
    text = "".join(data.get("text/plain", output.get("text", ""))).rstrip()
    return f'<pre class="output">{escape(text).replace(chr(10) * 2, chr(10) + " " + chr(10))}</pre>'

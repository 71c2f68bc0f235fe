"""Vega, Vega-Lite and Vega-Embed as one script, made once and kept, so that a page loads nothing."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from pathlib import Path

#: the Vega-Lite version that the pages draw with
VEGA_LITE = "6.4"
_BUNDLES: dict[Path | None, str] = {}


def vega_bundle(cache: Path | None = None) -> str:
    """The script that draws charts, from the cache folder where it is there; making it takes about two seconds.

    It is wrapped in a function of its own, so that it leaves only ``vegaEmbed``, ``vega`` and ``vegaLite`` behind.
    """
    if cache in _BUNDLES:
        return _BUNDLES[cache]
    kept = cache / f"vega-lite-{VEGA_LITE}-{version('vl-convert-python')}.js" if cache else None
    if kept is not None and kept.is_file():
        script = kept.read_text(encoding="utf-8")
    else:
        import vl_convert

        # a literal </script> or <!-- inside the script would end it early
        plain = vl_convert.javascript_bundle(snippet=None, vl_version=VEGA_LITE)  # type: ignore[arg-type]
        plain = plain.replace("</script", "<\\/script").replace("<!--", "<\\!--")
        script = f"(function(){{{plain}}})();"
        if kept is not None:
            write_whole(kept, script)
    _BUNDLES[cache] = script
    return script


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part; readable by its group.

    The content goes to a temporary file in the same folder, is flushed to disk and takes the name at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

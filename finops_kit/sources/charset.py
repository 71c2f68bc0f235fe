"""The encoding of a text that its own header says: where its words, decoded so, are a provider's, letter by letter.

No frequency is counted and nothing is guessed. A header in ASCII says nothing, for it reads the same in every encoding;
such a file's encoding is named by its user.
"""

from __future__ import annotations

import codecs
from dataclasses import replace

from finops_kit.errors import SourceRefused
from finops_kit.sources import alibaba, azure
from finops_kit.sources.encoding import UTF8
from finops_kit.sources.files import SourceFile, in_encoding
from finops_kit.sources.layout import read_layouts

#: what the portals and spreadsheets write in whose languages headers are known: Chinese, German
_TRIED = ("gb18030", "windows-1252")


def encoded_by_header(source: SourceFile) -> SourceFile:
    """The file in the encoding that its header says; as it is where it is UTF-8, or its header says nothing.

    Raises
    ------
    SourceRefused : its header says an encoding in which the head of the file cannot be read
    """
    if source.kind != "text" or source.encoding_said_by or _decodes(source.head):
        return source
    said = [encoding for encoding in _TRIED if _says(source, encoding)]
    return in_encoding(source, said[0], "its header") if len(said) == 1 else source


def _decodes(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(UTF8)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _says(source: SourceFile, encoding: str) -> bool:
    """Whether the header is a bill's that is known, and has names beyond ASCII that are known letter by letter."""
    try:
        layouts = read_layouts(replace(source, head=source.head.decode(encoding, errors="replace").encode()))
    except SourceRefused:
        return False
    for layout in layouts:
        header = layout.header
        if azure.missing_columns(header) == [] and azure.local_names(header):
            return True
        if alibaba.missing_columns(header) == []:
            places = alibaba.find_columns(header).values()
            return any(not header[place].isascii() and "\ufffd" not in header[place] for place in places)
    return False

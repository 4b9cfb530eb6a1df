"""`ask` on the terminal: who says it first, then each sentence with its proof."""

import asyncio
import json
import os

from cli.terminal import PROGRAM, Terminal
from evil_model import Reply, evil_server, ollama_says
from test_questions import PLUM, QUESTION, QUOTE, sentences
from web.shelf import Shelf

FAR = "Of other matters nothing is known here. " * 25


async def asked(terminal: Terminal, reply: Reply, *options: str) -> str:
    """What the program prints that asks a server which answers so."""
    async with evil_server() as server:
        server.answer = reply
        model = {"CTISCRAPER_MODEL_URL": server.url, "CTISCRAPER_MODEL": "small"}
        none = {"CTISCRAPER_EMBEDDING": "none"}
        child = await asyncio.create_subprocess_exec(
            *(*PROGRAM, "ask", QUESTION, *options),
            env={**os.environ, **terminal.environment, **model, **none},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


async def test_a_sentence_comes_with_its_mark_and_its_proof(
    terminal: Terminal, database: str
) -> None:
    Shelf(database).article("plum", text=f"{FAR}{PLUM}")
    long = f"Plum steals session cookies from browsers, {'and from browsers, ' * 9}by DNS."
    proved = ("Plum steals session cookies.", QUOTE, 1), (long, QUOTE, 1)
    said = json.dumps(sentences(*proved))
    lines = (await asked(terminal, ollama_says(said))).splitlines()
    assert lines[0] == "Made by the language model small, prompt ask/3:"
    at = lines.index("Plum steals session cookies. [1]")
    assert lines[at + 1] == f'    "{QUOTE}"'
    assert f"{long} [1]" in lines
    # The proof can be seen where it stands, however far back.
    assert PLUM in " ".join(" ".join(lines[at + 2 :]).split())


async def test_an_answer_that_cannot_be_read_says_so_and_what_to_do(
    terminal: Terminal, database: str
) -> None:
    Shelf(database).article("plum", text=PLUM)
    lines = (await asked(terminal, ollama_says("It is Plum [1]."))).splitlines()
    assert lines[0].startswith("The model gave no answer that can be used (bad_answer: ")
    assert "'ctiscraper model check' tries that." in lines[1]
    told = json.loads(await asked(terminal, ollama_says("It is Plum [1]."), "--json"))
    assert told["state"] == "failed"
    assert told["fault"].endswith("There is no JSON object in the answer")


async def test_an_answer_that_broke_off_says_so(terminal: Terminal, database: str) -> None:
    Shelf(database).article("plum", text=PLUM)
    said = json.dumps(sentences(("Plum steals session cookies.", QUOTE, 1)))
    cut = ollama_says(said[:-1], reason="length")
    assert "The answer broke off (cut_off: " in await asked(terminal, cut)
    told = json.loads(await asked(terminal, cut, "--json"))
    assert (told["state"], told["prompt"]) == ("answered", "ask/3")
    assert told["fault"].startswith("cut_off")

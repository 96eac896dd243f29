"""Writes chat_vectors.json: what Jinja makes of the templates in chat/, set up as the tokenizers of Hugging Face set it up.

    venv/bin/python compat/lm_eval/chat_templates.py
"""

import json
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = Path(__file__).parent.resolve()
QUESTION = " What's <|im_end|> here? "
CONVERSATIONS = [
    [("user", "Q: 1 + 1?\nA:")],
    [("system", "Be brief."), ("user", QUESTION)],
    [("system", "Be brief.\n"), ("user", "one?"), ("assistant", "1"), ("user", "two?\n"), ("assistant", "2"), ("user", QUESTION)],
    [("user", "one?"), ("assistant", "The answer is")],
]


def refuse(reason):
    raise TemplateError(reason)


def written(template, messages, begin_answer):
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = refuse
    values = {"bos_token": "<bos>", "eos_token": "<eos>", "add_generation_prompt": begin_answer}
    try:
        text = environment.from_string(template).render(messages=messages, **values)
    except TemplateError:
        # lm-evaluation-harness tries again without the instructions.
        messages = [message for message in messages if message["role"] != "system"]
        text = environment.from_string(template).render(messages=messages, **values)
    if not begin_answer:
        # The last message goes on: what the template writes behind it is left out.
        last = messages[-1]["content"].strip()
        text = text[: text.rindex(last) + len(last)]
    return text


def main():
    vectors = []
    for path in sorted((HERE / "chat").glob("*.jinja")):
        for turns in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in turns]
            begin_answer = turns[-1][0] == "user"
            text = written(path.read_text(encoding="utf-8"), messages, begin_answer)
            vectors.append({"template": path.name, "messages": turns, "begin_answer": begin_answer, "text": text})
    (HERE / "chat_vectors.json").write_text(json.dumps(vectors, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(vectors)} conversations")


if __name__ == "__main__":
    main()

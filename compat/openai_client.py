"""OpenAI's own Python client against a worker: streams, schemas from pydantic, refusals.

    python3 -m venv venv && venv/bin/pip install openai==3.54.0
    aobench worker --type chat --model demo/models/social-4.gguf --serve 127.0.0.1:8080 --key-file keys.txt
    venv/bin/python compat/openai_client.py http://127.0.0.1:8080/v1 KEY social-4
"""

import enum
import json
import sys
import time

import openai
import pydantic


class Feeling(str, enum.Enum):
    PROUD = "proud"
    GLAD = "glad"
    SAD = "sad"


class Reason(pydantic.BaseModel):
    text: str = pydantic.Field(max_length=24)
    weight: float = pydantic.Field(ge=0, le=1)


class Answer(pydantic.BaseModel):
    feeling: Feeling
    strength: int = pydantic.Field(ge=1, le=5)
    reasons: list[Reason] = pydantic.Field(max_length=2)
    doubt: Reason | None


def main():
    base_url, key, model = sys.argv[1:]
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
    messages = [{"role": "user", "content": "Kim helped Robin. How does Robin feel?"}]
    seen = {}

    whole = client.chat.completions.create(model=model, messages=messages, max_tokens=60)
    began, times, text = time.monotonic(), [], ""
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=model, messages=messages, max_tokens=60, stream=True, stream_options=options):
        times.append(time.monotonic() - began)
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        else:
            seen["usage"] = chunk.usage.completion_tokens
    assert text == whole.choices[0].message.content, (text, whole)
    assert len(times) > 5 and times[0] < times[-1], times
    seen["chunks"], seen["first_ms"], seen["last_ms"] = len(times), round(times[0] * 1000), round(times[-1] * 1000)

    texts = {0: "", 1: ""}
    for chunk in client.completions.create(model=model, prompt=["Context: Kim", "It was"], max_tokens=30, stop=[" the"], stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert all(text and " the" not in text for text in texts.values()), texts

    for tokens in (48, 120, 200):
        parsed = client.chat.completions.parse(model=model, messages=messages, max_tokens=tokens, response_format=Answer)
        assert isinstance(parsed.choices[0].message.parsed, Answer)
    seen["parsed"] = parsed.choices[0].message.parsed.model_dump(mode="json")
    with client.chat.completions.stream(model=model, messages=messages, max_tokens=120, response_format=Answer) as stream:
        events = [event.type for event in stream]
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Answer)
    assert events.count("content.delta") > 3, events

    anything = client.chat.completions.create(model=model, messages=messages, max_tokens=60, response_format={"type": "json_object"})
    assert isinstance(json.loads(anything.choices[0].message.content), dict)
    pattern = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string", "pattern": "^a"}}}
    try:
        client.chat.completions.create(model=model, messages=messages, response_format=pattern)
        raise AssertionError("a pattern should have been refused")
    except openai.BadRequestError as error:
        assert "pattern" in str(error)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()

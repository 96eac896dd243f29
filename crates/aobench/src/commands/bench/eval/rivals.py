"""Runs lm-evaluation-harness for `aobench bench eval` and prints one JSON object.

    rivals.py hf MODEL.gguf FOLDER TASK LIMIT THREADS        its backend `hf`, a model of the same architecture, fp32, CPU
    rivals.py server MODEL.gguf FOLDER TASK LIMIT THREADS    its backend `local-completions` against llama-cpp-python's server

FOLDER holds TASK.yaml with its questions, and is written to. What is timed is the log-likelihood requests alone, as
`seconds`; loading, building prompts and scoring are not in it.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

mode, model_path, folder, task, limit, threads = sys.argv[1:]
limit, threads = int(limit), int(threads)
os.environ.update(
    OMP_NUM_THREADS=str(threads),
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HOME=os.path.join(folder, "huggingface"),
    TOKENIZERS_PARALLELISM="false",
    CUDA_VISIBLE_DEVICES="",
)

import lm_eval  # noqa: E402
from lm_eval.api.registry import get_model  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402


def with_tokenizer(path):
    """A folder with the tokenizer of the GGUF file."""
    if not os.path.exists(os.path.join(path, "tokenizer_config.json")):
        tokenizer = AutoTokenizer.from_pretrained(os.path.dirname(model_path), gguf_file=os.path.basename(model_path))
        tokenizer.save_pretrained(path)
    return path


def random_model(path):
    """A folder with a model of random weights of the architecture of the GGUF file, in single precision."""
    if not os.path.exists(os.path.join(path, "model.safetensors")):
        import gguf
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        fields = gguf.GGUFReader(model_path).fields
        value = lambda name: fields["llama." + name].contents()
        config = LlamaConfig(
            vocab_size=value("vocab_size"),
            hidden_size=value("embedding_length"),
            intermediate_size=value("feed_forward_length"),
            num_hidden_layers=value("block_count"),
            num_attention_heads=value("attention.head_count"),
            num_key_value_heads=value("attention.head_count_kv"),
            max_position_embeddings=value("context_length"),
            tie_word_embeddings=False,
        )
        torch.manual_seed(7)
        LlamaForCausalLM(config).to(torch.float32).save_pretrained(path)
    return path


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start_server(port, log):
    command = [sys.executable, "-m", "llama_cpp.server", "--model", model_path, "--n_ctx", "1024", "--port", str(port)]
    command += ["--n_threads", str(threads), "--n_threads_batch", str(threads), "--logits_all", "true"]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    for _ in range(240):
        if server.poll() is not None:
            sys.exit("llama-cpp-python's server ended; see " + log.name)
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=1).read()
            return server
        except OSError:
            time.sleep(0.5)
    server.kill()
    sys.exit("llama-cpp-python's server did not answer within two minutes")


server = None
versions = {"lm_eval": lm_eval.__version__}
own = os.path.join(folder, "same-architecture")
os.makedirs(own, exist_ok=True)
tokenizer = with_tokenizer(own)
try:
    if mode == "hf":
        import torch
        import transformers

        torch.set_num_threads(threads)
        versions |= {"torch": torch.__version__, "transformers": transformers.__version__}
        arguments = f"pretrained={random_model(own)},dtype=float32"
        options = {"batch_size": 8, "device": "cpu"}
    else:
        import llama_cpp

        versions["llama_cpp_python"] = llama_cpp.__version__
        port = free_port()
        server = start_server(port, open(os.path.join(folder, "server.log"), "w"))
        arguments = (
            f"model=m,base_url=http://127.0.0.1:{port}/v1/completions,tokenizer={tokenizer},"
            "tokenizer_backend=huggingface,tokenized_requests=False,num_concurrent=1,max_retries=1"
        )
        options = {"batch_size": 1}
    name = "hf" if mode == "hf" else "local-completions"
    model = get_model(name).create_from_arg_string(arguments, options)
    timed = {"seconds": 0.0, "requests": 0}
    original = model.loglikelihood

    def loglikelihood(requests, *others, **named):
        began = time.perf_counter()
        answers = original(requests, *others, **named)
        timed["seconds"] += time.perf_counter() - began
        timed["requests"] += len(requests)
        return answers

    model.loglikelihood = loglikelihood
    results = lm_eval.simple_evaluate(
        model=model,
        tasks=[task],
        task_manager=TaskManager(include_path=folder, include_defaults=False),
        limit=limit,
        bootstrap_iters=0,
        log_samples=True,
    )
    samples = sorted(results["samples"][task], key=lambda sample: sample["doc_id"])
    sums = [[float(answer[0][0]) for answer in sample["resps"]] for sample in samples]
    print(json.dumps(timed | {"questions": len(samples), "versions": versions, "log_likelihoods": sums}))
finally:
    if server is not None:
        server.kill()

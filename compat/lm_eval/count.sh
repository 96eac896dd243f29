#!/bin/sh
# Counts how many of the task files that come with lm-evaluation-harness aobench can use, by family and by reason.
# Run it from anywhere; it needs cargo and python3 with pip, and brings the task files from PyPI into target/lm_eval.
#
#     compat/lm_eval/count.sh              # version 0.4.13
#     compat/lm_eval/count.sh FOLDER       # the folder lm_eval/tasks of a copy that is there already
set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-$repository/target/lm_eval/lm_eval/tasks}
if [ ! -d "$folder" ]; then
    python3 -m pip install --quiet --no-deps --target "$repository/target/lm_eval" lm-eval==0.4.13
fi
cd "$repository"
exec cargo run --locked --quiet --package tasks --example count_lm_eval_tasks -- "$folder"

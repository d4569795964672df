#!/usr/bin/env bash
# Asks a run, served by `tfc serve`, which of four continuations of a text is its own, with EleutherAI's lm-evaluation-harness.
#   scripts/lm-eval.sh RUN TEXTS…      a run of a byte-level model; files of text that it has not been trained on
# Needs `tfc` and `lm_eval` on the path (pip install "lm-eval[api]" transformers; minutes) and writes nothing outside of a temporary folder.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,4s/^# \?//p' "$0" >&2; exit 2; }
run=$1
shift
folder=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$folder"' EXIT

tfc serve "$run" --port 0 > "$folder/address" &
server=$!
until [ -s "$folder/address" ]; do kill -0 $server 2>/dev/null || exit 3; sleep 0.2; done

# The harness wants the tokenizer in a folder of its own, with the class that reads it.
checkpoint=$(find "$run" -name tokenizer.json | sort -V | tail -n 1)
mkdir "$folder/tokenizer" "$folder/task"
cp "$checkpoint" "$folder/tokenizer/"
echo '{"tokenizer_class": "PreTrainedTokenizerFast"}' > "$folder/tokenizer/tokenizer_config.json"

# 60 letters of context and four continuations of 30: its own, and three from elsewhere in the texts.
python3 - "$folder/task/questions.jsonl" "$@" <<'PY'
import json
import random
import sys

random.seed(0)
text = "".join(open(path, encoding="utf-8").read() for path in sys.argv[2:])
text = text.encode("ascii", "ignore").decode()
places = random.sample(range(len(text) - 100), 400)
with open(sys.argv[1], "w") as out:
    for question in range(100):
        own, *others = places[4 * question : 4 * question + 4]
        choices = [text[place + 60 : place + 90] for place in (own, *others)]
        order = random.sample(range(4), 4)
        answer = {"context": text[own : own + 60], "choices": [choices[i] for i in order], "label": order.index(0)}
        out.write(json.dumps(answer) + "\n")
PY
cat > "$folder/task/continuation.yaml" <<YAML
task: continuation
dataset_path: json
dataset_kwargs: { data_files: { test: "$folder/task/questions.jsonl" } }
test_split: test
output_type: multiple_choice
doc_to_text: "{{context}}"
doc_to_choice: "{{choices}}"
doc_to_target: label
target_delimiter: ""
metric_list: [{ metric: acc, aggregation: mean, higher_is_better: true }]
YAML
model=base_url=$(cat "$folder/address")/completions,model=tfc,tokenizer=$folder/tokenizer,tokenizer_backend=huggingface,max_length=128
HF_HUB_OFFLINE=1 HF_DATASETS_CACHE=$folder/cache TOKENIZERS_PARALLELISM=false lm_eval run --model local-completions --model_args "$model" \
    --tasks continuation --include_path "$folder/task" --batch_size 8

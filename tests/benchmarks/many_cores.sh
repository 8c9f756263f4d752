#!/usr/bin/env bash
# Accuracy over many fresh seeds, calibration and the comparison with a GPU peer, on a machine with
# many cores and a CUDA GPU, in about 8 minutes. Output goes to $OUT (default: ./many_cores).
# What is missing (GPU, warpfield, real data) is left out and said so.
set -uo pipefail
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONUNBUFFERED=1
OUT=${OUT:-many_cores}
PROCESSES=${PROCESSES:-15}
mkdir -p "$OUT"
timed() { # seconds, name, command ...: its output to the screen and to a file of that name
    local limit=$1 name=$2
    shift 2
    echo "== $name"
    timeout "$limit" "$@" 2>&1 | tee "$OUT/$name.txt" || echo "$name: ended early or missed a criterion"
}
nproc && (nvidia-smi --query-gpu=name --format=csv,noheader || echo "no GPU")
for seed in 92000 93000 94000; do
    timed 60 "accuracy_$seed" python3 tests/benchmarks/accuracy.py --no-peer --no-real-data \
        --first-seed "$seed" --processes "$PROCESSES"
done
timed 100 calibration python3 tests/benchmarks/calibration.py --number 30 --processes "$PROCESSES"
timed 200 gpu_peer python3 tests/benchmarks/gpu_peer.py --processes "$PROCESSES"

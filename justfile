# What there is to run here. `just` alone lists it; every recipe is one plain command, so
# nothing needs just.

_list:
    @just --list --unsorted

# the promise in sixty seconds: lost answers, kill -9, and each thing once
promise *ARGS:
    cargo run --release -- demo {{ ARGS }}

# the example: sixteen clients, from manifests to accounts, in the embedded sandbox
demo *ARGS:
    cargo run --release -- run examples/agency --sandbox --sandbox-users examples/agency/people.txt {{ ARGS }}

# begin the demo afresh: forget the sandbox's world
forget-demo:
    rm -f .bursar/sandbox.db .bursar/sandbox.db-shm .bursar/sandbox.db-wal

# the embedded account API by itself
sandbox *ARGS:
    cargo run --release -- sandbox --users examples/agency/people.txt {{ ARGS }}

# does it compile
check:
    cargo check --all-targets

# all tests, or those whose name holds FILTER
test *FILTER:
    cargo test {{ FILTER }}

# the seeded simulation: so many seeds with keys, without, and as Netlify has it; BURSAR_SEED=7 tells the story of one
simulate SEEDS="1000":
    BURSAR_SEEDS={{ SEEDS }} cargo test --profile simulation --test it -- sim::with sim::netlify_without --nocapture --test-threads 1

# a long life with commits, faults, kills and a person's hand, so many seconds; an hour says something of memory
soak SECONDS="3600":
    BURSAR_SOAK={{ SECONDS }} cargo test --test it soak -- --nocapture

# kill -9 of the real binary, so often; 1000 take some four minutes, 20000 more than an hour
kills KILLS="1000":
    BURSAR_KILLS={{ KILLS }} cargo test --test it kills::each_thing -- --nocapture

# take each rule of the protocol out in turn: a test must fail each time (minutes)
rules *RULES:
    tests/rules/check {{ RULES }}

# formatting and lints, as CI wants them
lint:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# set the formatting right
fmt:
    cargo fmt

# write the generated files anew (JSON Schemas, OpenAPI, finding codes), then look at the diff
renew:
    BURSAR_RENEW=1 cargo test --test it generated
    git diff --stat -- schemas docs

# benchmarks
bench *FILTER:
    cargo bench --bench '*' -- {{ FILTER }}

# licences, sources and advisories of the dependencies
deny:
    cargo deny check

# all that CI runs
ci:
    .ci/run

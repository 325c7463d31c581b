#!/bin/bash
# Proves on a real account that a deployed stack works: every request is one complete trace. See verify.py.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/verify.py" "$@"

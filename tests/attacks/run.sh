#!/bin/sh
# The attack and fault suite, as root (where there is root) and as a user that owns nothing; arguments go to pytest.
# `run.sh -m "not slow"` is the ordinary suite, `run.sh -m slow` the long one.
cd "$(dirname "$0")/../.." || exit 2
python=${PYTHON:-python}
result=0
for arm in "" --user; do
    "$python" tests/attacks/cage.py $arm -- "$python" -m pytest tests/attacks -p no:cacheprovider -q "$@"
    code=$?
    # 77: no such cage here, and the sentence has been printed.
    [ $code -eq 0 ] || [ $code -eq 77 ] || result=$code
done
exit $result

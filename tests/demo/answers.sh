# Ingests the documents, asks the questions and judges what comes back. To be sourced by demo.sh.
# shellcheck shell=bash

# answers_forward: a way to the gateway's Service on a free port of this machine.
answers_forward() {
  local log=$logs/forward.log
  background "$log" "$kubectl" -n "$namespace" port-forward "service/$pipeline-gateway" :8080
  wait_for 30 "kubectl port-forward" "$log" grep -q '^Forwarding from 127' "$log"
  RAGLINE_URL=http://$(sed -n 's/^Forwarding from \(127[^ ]*\) .*/\1/p' "$log" | head -n 1)
  RAGLINE_API_KEY=$("$kubectl" -n "$namespace" get secret "$pipeline-api-key" -o 'jsonpath={.data.api-key}' | base64 -d)
  export RAGLINE_URL RAGLINE_API_KEY
  wait_for 60 "the gateway to answer" "$log" curl --silent --fail --max-time 5 "$RAGLINE_URL/readyz"
}

answers_ingest() {
  long 900 "ingesting the documents" "$logs/ingest.log" "$gateway_program" ingest "$documents_folder"
  tail -n 3 "$logs/ingest.log" | sed 's/^/    /'
}

# answers_ask: five questions, one of which the documents do not answer.
answers_ask() {
  python3 "$here/ask.py" "$here/questions.json" || fail "not every answer was what it has to be; see above"
}

answers_show() {
  echo
  echo "\$ kubectl -n $namespace get ragp"
  "$kubectl" -n "$namespace" get ragp
  echo
  echo "\$ kubectl -n $namespace describe ragp $pipeline"
  "$kubectl" -n "$namespace" describe ragp "$pipeline"
  echo
}

# answers_verify: the gateway proves itself, inside the cluster.
answers_verify() {
  echo "\$ kubectl -n $namespace exec deploy/$pipeline-gateway -- ragline-gateway verify"
  timeout 300 "$kubectl" -n "$namespace" exec "deploy/$pipeline-gateway" -- ragline-gateway verify </dev/null ||
    fail "verify failed; the gateway's log: kubectl -n $namespace logs deploy/$pipeline-gateway"
}

# answers_go_on SECONDS
answers_go_on() {
  cat <<END

The demo is up, after $1 s. Go on with:

  export KUBECONFIG=$KUBECONFIG PATH=$(dirname "$kubectl"):\$PATH
  kubectl -n $namespace port-forward service/$pipeline-gateway 8080:8080 &
  export RAGLINE_URL=http://127.0.0.1:8080
  export RAGLINE_API_KEY=\$(kubectl -n $namespace get secret $pipeline-api-key -o 'jsonpath={.data.api-key}' | base64 -d)
  $gateway_program ask "How does PostgreSQL avoid transaction ID wraparound?"
  $gateway_program ingest YOUR-FOLDER
  kubectl explain ragpipeline.spec

make demo-down removes it all.
END
}

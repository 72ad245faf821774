#!/bin/bash
# Shows on a running cluster that NetworkPolicies are enforced: every check is a connection between pods. Prints a table, and
# "N passed, N failed" as its last line; exit status 1 when a check fails. Removes its two namespaces.
#
#   netpol_test.sh               RAGLINE_CLUSTER_NAME=ragline, two nodes or more
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/settings.sh
. "$here/lib/settings.sh"
# shellcheck source=lib/steps.sh
. "$here/lib/steps.sh"

shop=netpol-shop tools=netpol-tools
passed=0 failed=0

kubectl() { "$output/bin/kubectl" --kubeconfig "$output/kubeconfig" "$@"; }

# result open|closed WANTED WHAT
result() {
  if [ "$1" = "$2" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-6s %-7s %s\n' "$([ "$1" = "$2" ] && echo ok || echo FAILED)" "$1" "$3"
}

# check WANTED WHAT COMMAND...: the command succeeds when the way is open.
check() {
  local wanted=$1 what=$2 got=closed
  shift 2
  ! "$@" >/dev/null 2>&1 || got=open
  result "$got" "$wanted" "$what"
}

# get POD HOST:PORT: one request out of a pod of the shop, or out of NAMESPACE/POD.
get() {
  local namespace=$shop pod=$1
  case $1 in */*) namespace=${1%/*} pod=${1#*/} ;; esac
  kubectl -n "$namespace" exec "$pod" -- timeout 1 wget -q -O /dev/null "http://$2/"
}

# policy NAME SPEC: a policy of the shop, and the second that nodes may take to enforce it.
policy() {
  kubectl apply -f - >/dev/null <<<"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: $1, namespace: $shop}, spec: $2}"
  sleep 1
}

forget() {
  kubectl -n "$shop" delete networkpolicy --all >/dev/null
  sleep 1
}

# pod NAMESPACE NAME NODE [COMMAND [MORE]]: a pod that answers HTTP at 8080, named http, and 8081, or runs COMMAND.
pod() {
  cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: $2, namespace: $1, labels: {app: $2}}
spec:
  nodeName: $3
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  ${5:-}
  containers:
  - name: main
    image: $busybox_image
    imagePullPolicy: Never
    command: [sh, -c, '${4:-mkdir -p /tmp/www; echo hello >/tmp/www/index.html; httpd -p 8081 -h /tmp/www; exec httpd -f -p 8080 -h /tmp/www}']
    ports: [{name: http, containerPort: 8080}]
YAML
}

pods() {
  local probe='{httpGet: {path: /, port: http}, periodSeconds: 1, failureThreshold: 2}'
  kubectl create namespace "$shop" >/dev/null
  kubectl create namespace "$tools" >/dev/null
  {
    pod $shop server node1
    echo "    readinessProbe: $probe"
    echo "    livenessProbe: $probe"
    pod $shop near node1
    pod $shop far node2
    pod $tools near node1
    pod $tools far node2
    pod $shop host node1 'mkdir -p /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 18099 -h /tmp/www' 'hostNetwork: true' | sed 's/containerPort: 8080/containerPort: 18099/'
    printf '%s\n' --- "{apiVersion: v1, kind: Service, metadata: {name: server, namespace: $shop}," \
      "spec: {selector: {app: server}, ports: [{port: 80, targetPort: http}]}}"
  } | kubectl apply -f - >/dev/null
  kubectl -n "$shop" wait --for=condition=Ready pod --all --timeout=60s >/dev/null
  kubectl -n "$tools" wait --for=condition=Ready pod --all --timeout=60s >/dev/null
  server=$(address server)
  far=$(address far)
  # The static busybox asks for names by nslookup only.
  service=$(kubectl -n "$shop" get service server -o 'jsonpath={.spec.clusterIP}')
}

address() { kubectl -n "$shop" get pod "$1" -o 'jsonpath={.status.podIP}'; }

in_node1() { nsenter "--net=/run/netns/$(node_namespace 1)" "$@"; }

web() { curl -sf --connect-timeout 1 --max-time 2 "http://$1/"; }

without_policies() {
  check open "no policy: from the same node" get near "$server:8080"
  check open "no policy: from the other node" get far "$server:8080"
  check open "no policy: through the Service" get far "$service"
  check open "no policy: from the machine outside" web "$server:8080"
}

ways_in() {
  policy deny '{podSelector: {}, policyTypes: [Ingress]}'
  check closed "deny-all ingress: from the same node" get near "$server:8080"
  check closed "deny-all ingress: from the other node" get far "$server:8080"
  check closed "deny-all ingress: through the Service" get far "$service"
  check closed "deny-all ingress: from the machine outside" web "$server:8080"
  check open "deny-all ingress: from the pod's own node" in_node1 curl -sf --max-time 2 "http://$server:8080/"
  check open "deny-all ingress: from the pod to itself" get server "$server:8080"
  check open "deny-all ingress: from the pod to itself through the Service" get server "$service"
  check open "deny-all ingress: a pod on its node's network is not held to it" get far "$(node_ip 1):18099"
  check open "deny-all ingress: another namespace" get near "$(kubectl -n $tools get pod far -o 'jsonpath={.status.podIP}'):8080"
  policy friends '{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{podSelector: {matchLabels: {role: friend}}}]}]}'
  check closed "allow from one label: a pod without it" get far "$server:8080"
  kubectl -n "$shop" label pod near far role=friend >/dev/null
  sleep 1
  check open "allow from one label: given to a pod of the same node" get near "$server:8080"
  check open "allow from one label: given to a pod of the other node" get far "$server:8080"
  check open "allow from one label: through the Service" get far "$service"
  check closed "allow from one label: another namespace" get $tools/near "$server:8080"
  policy teams '{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [b]}]}, podSelector: {matchLabels: {app: far}}}]}]}'
  check closed "allow from a namespace: before it has the label" get $tools/far "$server:8080"
  kubectl label namespace "$tools" team=b >/dev/null
  sleep 1
  check open "allow from a namespace: with the label" get $tools/far "$server:8080"
  check closed "allow from a namespace: another pod of it" get $tools/near "$server:8080"
  check open "several policies are a union: the label still counts" get near "$server:8080"
}

blocks_and_ports() {
  forget
  check open "policies removed: from the same node" get near "$server:8080"
  check open "policies removed: from the other node" get $tools/far "$server:8080"
  policy block "{podSelector: {matchLabels: {app: server}}, ingress: [{from: [{ipBlock: {cidr: $pod_network.0.0/16, except: [$(node_pods 2)]}}, {ipBlock: {cidr: $host_ip/32}}]}]}"
  check open "ipBlock: an address in it" get near "$server:8080"
  check closed "ipBlock except: an address of the exception" get far "$server:8080"
  check open "ipBlock: the machine outside" web "$server:8080"
  forget
  policy named '{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: http}]}]}'
  check open "named port" get far "$server:8080"
  check closed "named port: another port" get far "$server:8081"
  forget
  policy range '{podSelector: {matchLabels: {app: server}}, ingress: [{ports: [{port: 8081, endPort: 8090}]}]}'
  check open "ports 8081 to 8090: 8081" get far "$server:8081"
  check closed "ports 8081 to 8090: 8080" get near "$server:8080"
  forget
}

ways_out() {
  local name=server.$shop.svc.cluster.local dns='{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}], ports: [{port: 53, protocol: UDP}]}'
  policy out "{podSelector: {}, policyTypes: [Egress], egress: [$dns]}"
  check open "deny egress, allow DNS: a name is answered on node1" kubectl -n $shop exec near -- nslookup "$name"
  check open "deny egress, allow DNS: a name is answered on node2" kubectl -n $shop exec far -- nslookup "$name"
  check closed "deny egress, allow DNS: a pod of the same node" get near "$server:8080"
  check closed "deny egress, allow DNS: a pod of the other node" get near "$far:8080"
  check closed "deny egress, allow DNS: the other node" get far "$(node_ip 1):18099"
  check open "deny egress, allow DNS: the pod's own node" get near "$(node_ip 1):18099"
  check open "deny egress: the way in is open, answers pass" get $tools/far "$server:8080"
  policy to '{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: server}}}], ports: [{port: http}]}]}'
  check open "allow egress to one label, named port: through the Service" get far "$service"
  check closed "allow egress to one label, named port: another port" get far "$server:8081"
  check closed "allow egress to one label: another pod" get near "$far:8080"
  check open "what was dropped is told in the log of the node" log_tells "egress of $shop/near .* -> $shop/far .*tcp 8080"
  forget
}

# log_tells PATTERN: the log is written every two seconds.
log_tells() {
  local try
  for try in 1 2 3 4 5 6; do
    [ "$try" = 1 ] || sleep 0.5
    ! grep -q "dropped [0-9]*: $1" "$state/node1/log/netpol.log" || return 0
  done
  return 1
}

# first_steps NAME: a new pod that asks as early and as often as it can; prints open when it ever got an answer, and whether
# that was at the first try.
first_steps() {
  local log
  pod "$shop" "$1" node2 "exec 2>/dev/null; for i in 1 2 3; do if timeout 1 wget -q -O /dev/null http://$server:8080/; then echo answer; else echo silence; fi; done" |
    kubectl apply -f - >/dev/null
  kubectl -n "$shop" wait --for=jsonpath='{.status.phase}'=Succeeded "pod/$1" --timeout=60s >/dev/null
  log=$(kubectl -n "$shop" logs "$1" | tr '\n' ' ')
  case $log in
    'answer '*) echo open ;;
    'silence silence silence ') echo closed ;;
    *) echo "$log" ;;
  esac
}

starts() {
  result "$(first_steps early)" open "a new pod without a policy: open from its first packet"
  policy late '{podSelector: {matchExpressions: [{key: app, operator: In, values: [late]}]}, policyTypes: [Egress]}'
  result "$(first_steps late)" closed "a new pod under a policy: closed from its first packet"
  policy later '{podSelector: {matchLabels: {app: later}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: server}}}]}]}'
  result "$(first_steps later)" open "a new pod under a policy that allows: open from its first packet"
  forget
}

# milliseconds_until_enforced: from sending a policy to the API server until the first connection that does not come about.
milliseconds_until_enforced() {
  local begin now api=(curl -sf --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" -o /dev/null)
  begin=$(date +%s%3N)
  "${api[@]}" -H 'Content-Type: application/json' "https://$api_ip:6443/apis/networking.k8s.io/v1/namespaces/$shop/networkpolicies" \
    -d '{"metadata": {"name": "timed"}, "spec": {"podSelector": {}}}'
  while :; do
    now=$(date +%s%3N)
    curl -sf --connect-timeout 0.2 -o /dev/null "http://$server:8080/" || break
    [ $((now - begin)) -lt 5000 ] || break
  done
  echo $((now - begin))
}

timing() {
  local ms
  ms=$(milliseconds_until_enforced)
  result "$([ "$ms" -lt 1000 ] && echo closed || echo open)" closed "a policy is in force within a second: here after $ms ms"
  sleep 3
  result "$(kubectl -n "$shop" get pod server -o 'jsonpath={.status.containerStatuses[0].ready} {.status.containerStatuses[0].restartCount}')" \
    "true 0" "the kubelet's probes of a pod that nobody may reach: ready, never restarted"
  forget
  check open "the last policy removed: from the other node" get far "$server:8080"
}

finish() {
  trap - EXIT
  kubectl delete namespace "$shop" "$tools" --ignore-not-found >/dev/null || failed=$((failed + 1))
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || exit 1
}

for node in 1 2; do
  daemon_runs "$state/node$node/netpol.pid" || fail "node$node of the cluster $cluster does not run, or nothing enforces policies there"
done
trap 'failed=$((failed + 1)); finish' EXIT
pods
without_policies
ways_in
blocks_and_ports
ways_out
starts
timing
finish

# etcd, kube-apiserver, kube-controller-manager and kube-scheduler. To be sourced; needs settings.sh, steps.sh, pki.sh,
# and `bin`, the folder of the Kubernetes programs. `inside` is the command prefix that enters the network namespace.
# shellcheck shell=bash

inside=()
# Further flags of the API server.
api_server_flags=()

# control_plane ADDRESS API_PORT ETCD_PORT [PEER_PORT]: starts etcd and the API server, and waits until it is ready.
control_plane() {
  local address=$1 port=$2 etcd=http://127.0.0.1:$3 peer=http://127.0.0.1:$4
  mkdir -p "$state/log"
  chmod 700 "$state"
  if ! daemon_runs "$state/etcd.pid"; then
    # Test data needs no fsync: a lost machine loses the cluster anyway.
    daemon "$state/etcd.pid" "$state/log/etcd.log" "${inside[@]}" etcd --data-dir "$state/etcd" --unsafe-no-fsync \
      --listen-client-urls "$etcd" --advertise-client-urls "$etcd" --listen-peer-urls "$peer" \
      --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" --log-level warn
  fi
  WATCHED=$state/etcd.pid wait_for 30 etcd "$state/log/etcd.log" \
    "${inside[@]}" curl -sf --max-time 5 "$etcd/health"
  if ! daemon_runs "$state/kube-apiserver.pid"; then
    api_server "$address" "$port" "$etcd"
  fi
  WATCHED=$state/kube-apiserver.pid wait_for 60 "the API server" "$state/log/kube-apiserver.log" api_ready "$address" "$port"
}

api_ready() {
  [ "$("${inside[@]}" curl -s --max-time 5 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
    "https://$1:$2/readyz")" = ok ]
}

# api_server ADDRESS PORT ETCD_URL
api_server() {
  api_audit_policy
  daemon "$state/kube-apiserver.pid" "$state/log/kube-apiserver.log" "${inside[@]}" "$bin/kube-apiserver" \
    --etcd-servers="$3" --bind-address="$1" --advertise-address="$1" --secure-port="$2" \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-cluster-ip-range="$service_network.0.0/16" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-signing-key-file="$pki/sa.key" --service-account-key-file="$pki/sa.pub" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
    --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --enable-aggregator-routing=true \
    --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
    --endpoint-reconciler-type="$([ "$1" = 127.0.0.1 ] && echo none || echo lease)" \
    --audit-policy-file="$state/audit-policy.yaml" --audit-log-path="$state/log/audit.log" --audit-log-maxsize=100 \
    --audit-log-maxbackup=1 --profiling=false "${api_server_flags[@]}"
}

# The audit log tells what the operator and a user's tools asked for; what Kubernetes asks of itself is left out.
api_audit_policy() {
  cat >"$state/audit-policy.yaml" <<'EOF'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", netpol]
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*", "/metrics"]
- level: Metadata
EOF
}

# controllers PORT [FLAGS...]: the controller-manager.
controllers() {
  local port=$1 kubeconfig=$pki/kube-controller-manager.kubeconfig
  shift
  if ! daemon_runs "$state/kube-controller-manager.pid"; then
    daemon "$state/kube-controller-manager.pid" "$state/log/kube-controller-manager.log" \
      "${inside[@]}" "$bin/kube-controller-manager" --kubeconfig="$kubeconfig" \
      --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
      --bind-address=127.0.0.1 --secure-port="$port" --leader-elect=false --use-service-account-credentials \
      --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
      --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
      --kube-api-qps=100 --kube-api-burst=200 --profiling=false "$@"
  fi
  WATCHED=$state/kube-controller-manager.pid wait_for 60 "the controller-manager" \
    "$state/log/kube-controller-manager.log" healthy "$port"
}

# scheduler [PORT [FLAGS...]]: the scheduler.
scheduler() {
  local port=${1:-10259} kubeconfig=$pki/kube-scheduler.kubeconfig
  shift $(($# > 0 ? 1 : 0))
  if ! daemon_runs "$state/kube-scheduler.pid"; then
    daemon "$state/kube-scheduler.pid" "$state/log/kube-scheduler.log" "${inside[@]}" "$bin/kube-scheduler" \
      --kubeconfig="$kubeconfig" --authentication-kubeconfig="$kubeconfig" --authorization-kubeconfig="$kubeconfig" \
      --bind-address=127.0.0.1 --secure-port="$port" --leader-elect=false --profiling=false "$@"
  fi
  WATCHED=$state/kube-scheduler.pid wait_for 60 "the scheduler" "$state/log/kube-scheduler.log" healthy "$port"
}

healthy() {
  [ "$("${inside[@]}" curl -s -k --max-time 5 "https://127.0.0.1:$1/healthz")" = ok ]
}

# simulated_nodes COUNT: nodes of KWOK, which says of every pod that it runs, and of a Job's that it has ended well. No
# container is started.
simulated_nodes() {
  local number
  for number in $(seq "$1"); do
    cat <<EOF
---
apiVersion: v1
kind: Node
metadata:
  name: simulated-$number
  annotations: {kwok.x-k8s.io/node: fake}
  labels: {kubernetes.io/hostname: simulated-$number, kubernetes.io/os: linux, type: kwok}
EOF
  done | "$bin/kubectl" --kubeconfig="$pki/admin.kubeconfig" apply --server-side -f - >>"$state/log/kwok.log"
  if ! daemon_runs "$state/kwok.pid"; then
    daemon "$state/kwok.pid" "$state/log/kwok.log" "$(program_folder kwok)/kwok" --kubeconfig="$pki/admin.kubeconfig" \
      --config="$cluster_scripts/tools/kwok/stages.yaml" \
      --manage-all-nodes=true --cidr=10.0.0.0/8 --node-ip=127.0.0.1 --node-lease-duration-seconds=0
  fi
  WATCHED=$state/kwok.pid wait_for 60 "the simulated nodes" "$state/log/kwok.log" nodes_ready "$1"
}

nodes_ready() {
  [ "$("$bin/kubectl" --kubeconfig="$pki/admin.kubeconfig" get nodes | grep -c ' Ready ')" = "$1" ]
}

# control_plane_stop: the API server goes before etcd, or it spends its time asking for it.
control_plane_stop() {
  local name
  for name in kwok kube-scheduler kube-controller-manager kube-apiserver etcd; do
    daemon_stop "$state/$name.pid" 10
  done
}

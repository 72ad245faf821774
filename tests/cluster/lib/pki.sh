# Certificates and kubeconfigs of one cluster, by openssl with elliptic keys (under a second). To be sourced;
# needs settings.sh and steps.sh. What exists is kept.
# shellcheck shell=bash

# pki_authority NAME COMMON_NAME
pki_authority() {
  [ -s "$pki/$1.crt" ] && return 0
  openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key"
  openssl req -x509 -new -key "$pki/$1.key" -subj "/CN=$2" -days 3650 -out "$pki/$1.crt.part" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
  mv "$pki/$1.crt.part" "$pki/$1.crt"
}

# pki_certificate NAME SUBJECT AUTHORITY USAGE [ALTERNATIVE_NAMES]
pki_certificate() {
  local file=$pki/$1
  [ -s "$file.crt" ] && return 0
  openssl ecparam -name prime256v1 -genkey -noout -out "$file.key"
  {
    echo "keyUsage=critical,digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=$4"
    [ -z "${5:-}" ] || echo "subjectAltName=$5"
  } >"$file.ext"
  openssl req -new -key "$file.key" -subj "$2" 2>/dev/null |
    openssl x509 -req -CA "$pki/$3.crt" -CAkey "$pki/$3.key" -set_serial "0x$(openssl rand -hex 16)" -days 3650 \
      -extfile "$file.ext" -out "$file.crt.part" 2>/dev/null
  mv "$file.crt.part" "$file.crt"
  rm -f "$file.ext"
}

# pki_kubeconfig NAME SERVER FILE: a kubeconfig with everything inside, for the certificate NAME.
pki_kubeconfig() {
  cat >"$3.part" <<EOF
apiVersion: v1
kind: Config
clusters: [{name: $cluster, cluster: {server: "$2", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
contexts: [{name: $cluster, context: {cluster: $cluster, user: $1}}]
current-context: $cluster
EOF
  chmod 600 "$3.part"
  mv "$3.part" "$3"
}

# pki_control_plane ADDRESS PORT: authorities, the server's certificate and those of its clients.
pki_control_plane() {
  local names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
  local masters=/O=system:masters name
  mkdir -p "$pki"
  chmod 700 "$pki"
  pki_authority ca "$cluster-authority"
  pki_authority front-proxy-ca "$cluster-front-proxy-authority"
  pki_certificate apiserver /CN=kube-apiserver ca serverAuth "$names,DNS:localhost,IP:127.0.0.1,IP:$service_ip,IP:$1"
  pki_certificate apiserver-kubelet $masters/CN=kube-apiserver-kubelet-client ca clientAuth
  pki_certificate front-proxy /CN=front-proxy-client front-proxy-ca clientAuth
  pki_certificate admin $masters/CN=kubernetes-admin ca clientAuth
  for name in kube-controller-manager kube-scheduler kube-proxy; do
    pki_certificate "$name" "/CN=system:$name" ca clientAuth
    pki_kubeconfig "$name" "https://$1:$2" "$pki/$name.kubeconfig"
  done
  pki_certificate netpol /CN=netpol ca clientAuth
  pki_kubeconfig netpol "https://$1:$2" "$pki/netpol.kubeconfig"
  pki_kubeconfig admin "https://$1:$2" "$pki/admin.kubeconfig"
  if [ ! -s "$pki/sa.pub" ]; then
    openssl genrsa -out "$pki/sa.key" 2048 2>/dev/null
    openssl rsa -in "$pki/sa.key" -pubout -out "$pki/sa.pub" 2>/dev/null
  fi
}

# pki_node NUMBER
pki_node() {
  pki_certificate "node$1" "/O=system:nodes/CN=system:node:node$1" ca clientAuth,serverAuth "DNS:node$1,IP:$(node_ip "$1")"
  pki_kubeconfig "node$1" "https://$api_ip:6443" "$pki/node$1.kubeconfig"
}

{{/*
Refuses a resource of the Prometheus operator on a cluster that does not know it. `helm template` asks no cluster, so it is not
refused there: only a real API server has apiregistration.k8s.io among its versions. Takes the root, the kind and the value.
*/}}
{{- define "ragline.needsPrometheusOperator" -}}
{{- $known := .root.Capabilities.APIVersions -}}
{{- if and ($known.Has "apiregistration.k8s.io/v1") (not ($known.Has (printf "monitoring.coreos.com/v1/%s" .kind))) -}}
{{- fail (printf "%s is true, but this cluster has no %s of monitoring.coreos.com/v1: install the Prometheus operator's CRDs first (helm install prometheus-operator-crds prometheus-community/prometheus-operator-crds), or set %s=false" .value .kind .value) -}}
{{- end -}}
{{- end -}}

{{/* The namespaces in which pipelines are looked for. */}}
{{- define "ragline.pipelineNamespaces" -}}
{{- $names := default .Values.watchNamespaces .Values.monitoring.serviceMonitor.namespaces -}}
{{- if $names -}}
matchNames:
  {{- toYaml $names | nindent 2 }}
{{- else -}}
any: true
{{- end -}}
{{- end -}}

{{/* Seconds of a duration such as 30s or 1m. */}}
{{- define "ragline.seconds" -}}
{{- mul (trimSuffix "m" (trimSuffix "s" .) | atoi) (ternary 60 1 (hasSuffix "m" .)) -}}
{{- end -}}

{{/* Where, how often, and how long a scrape may take. */}}
{{- define "ragline.scrape" -}}
port: http
path: /metrics
interval: {{ .Values.monitoring.serviceMonitor.interval }}
scrapeTimeout: {{ .Values.monitoring.serviceMonitor.scrapeTimeout }}
{{- end -}}

{{/* The chart's labels, and over them those by which a Prometheus chooses what it reads. */}}
{{- define "ragline.monitoringLabels" -}}
{{- toYaml (merge (dict) (default (dict) .labels) (include "ragline.labels" .root | fromYaml)) -}}
{{- end -}}

{{/* Labels that the operator gives to the parts of a pipeline; the dot is the part. */}}
{{- define "ragline.childLabels" -}}
app.kubernetes.io/name: ragline
app.kubernetes.io/component: {{ . }}
app.kubernetes.io/managed-by: ragline-operator
{{- end -}}

{{/* The labels `pipeline` and `component` of every series of a gateway or worker; alerts and dashboard go by them. */}}
{{- define "ragline.pipelineLabels" -}}
- sourceLabels: [__meta_kubernetes_{{ .from }}_label_app_kubernetes_io_instance]
  targetLabel: pipeline
- targetLabel: component
  replacement: {{ .component }}
# Where spec.gateway.tls is enabled. Each pipeline has an authority of its own, which a Prometheus cannot know.
- sourceLabels: [__meta_kubernetes_pod_annotation_prometheus_io_scheme]
  regex: https
  targetLabel: __scheme__
  replacement: https
{{- end -}}

{{/* How a pod is scraped that speaks TLS: encrypted, and by its address, which is in no certificate. */}}
{{- define "ragline.pipelineTls" -}}
tlsConfig:
  insecureSkipVerify: true
{{- end -}}

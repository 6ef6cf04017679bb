{{- define "model-exporter.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: a StatefulSet adds a hash of 11 to its name in a label. */}}
{{- define "model-exporter.fullname" -}}
{{- $name := include "model-exporter.name" . -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "model-exporter.namespace" -}}
{{ default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{- define "model-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "model-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "model-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "model-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "model-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "model-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "model-exporter.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end }}

{{/* Name, namespace, labels and annotations of an object for an operator, out of its values. */}}
{{- define "model-exporter.metadata" -}}
{{- $root := .root -}}
name: {{ .name }}
namespace: {{ default (include "model-exporter.namespace" $root) .values.namespace }}
labels:
  {{- include "model-exporter.labels" $root | nindent 2 }}
  {{- with .values.additionalLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* An endpoint of a ServiceMonitor or PodMonitor, out of its values. */}}
{{- define "model-exporter.endpoint" -}}
path: {{ .telemetryPath }}
scheme: {{ .scheme }}
honorLabels: {{ .honorLabels }}
{{- $endpoint := . }}
{{- range $key := list "interval" "scrapeTimeout" "tlsConfig" "basicAuth" "authorization" "relabelings" "metricRelabelings" }}
{{- with get $endpoint $key }}
{{ dict $key . | toYaml }}
{{- end }}
{{- end }}
{{- end }}

{{- define "model-exporter.modelServers" -}}
{{- toYaml (default (dict "matchLabels" (dict "app.kubernetes.io/component" "model-server")) .selector) -}}
{{- end }}

{{/*
exporter.yml, with the address and the state of this chart. A text keeps its comments and is
otherwise as it was; the two keys are left out of it, wherever they stand.
*/}}
{{- define "model-exporter.config" -}}
{{- $fixed := dict "listen" "0.0.0.0:9920" "state" "/var/lib/model-exporter" -}}
{{- $given := default dict .Values.config -}}
{{- $parsed := $given -}}
{{- if kindIs "string" $given -}}
{{- $parsed = fromYaml $given -}}
{{- with $parsed.Error }}{{ fail (printf "config is not YAML: %s" .) }}{{ end -}}
{{- end -}}
{{- if not $parsed.models -}}
{{- fail "config.models is empty: give the configuration with --set-file config=exporter.yml, or set job.enabled=false to scrape model servers only" -}}
{{- end -}}
{{- $text := "" -}}
{{- if kindIs "string" $given -}}
{{- $text = print (toYaml $fixed) "\n" (regexReplaceAll "(?m)^(listen|state)[ \t]*:.*\n?" $given "") -}}
{{- end -}}
{{- $whole := merge $fixed (deepCopy $parsed) -}}
{{- if eq (fromYaml $text | toJson) ($whole | toJson) -}}
{{ $text | trimSuffix "\n" }}
{{- else -}}
{{ $whole | toYaml }}
{{- end -}}
{{- end }}

{{/* The names of the shipped alerts, one a line. */}}
{{- define "model-exporter.alertNames" -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.yml" }}
{{- range ($.Files.Get $path | fromYaml).groups }}
{{- range .rules }}
{{- with .alert }}
{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

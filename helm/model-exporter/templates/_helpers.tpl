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

{{- define "model-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "model-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "model-exporter.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "model-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "model-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "model-exporter.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* A mapping, or the text of a file (--set-file config=exporter.yml). */}}
{{- define "model-exporter.config" -}}
{{- $fixed := dict "listen" "0.0.0.0:9920" "state" "/var/lib/model-exporter" -}}
{{- $given := .Values.config -}}
{{- if kindIs "string" $given -}}
{{- $given = fromYaml $given -}}
{{- with $given.Error }}{{ fail (printf "config is not YAML: %s" .) }}{{ end -}}
{{- end -}}
{{ merge $fixed (deepCopy $given) | toYaml }}
{{- end }}

{{/* Matchers as alertmanager.yml writes them (`name="value"`), in the operator's form. */}}
{{- define "model-exporter.matchers" -}}
{{- range . }}
{{- $parts := regexFindAll "^[a-zA-Z_][a-zA-Z0-9_]*|=~|!~|!=|=|\"[^\"]*\"$" . -1 }}
{{- if ne (len $parts) 3 }}
{{- fail (printf "matcher %s is not of the form name=\"value\"" .) }}
{{- end }}
- name: {{ index $parts 0 }}
  matchType: {{ index $parts 1 | quote }}
  value: {{ index $parts 2 }}
{{- end }}
{{- end }}

{{/* Where people read, as the fields of one receiver. */}}
{{- define "model-exporter.people" -}}
{{- if .slack.apiURL }}
slackConfigs:
  - apiURL:
      {{- toYaml .slack.apiURL | nindent 6 }}
    channel: {{ .slack.channel | quote }}
    sendResolved: true
    title: {{ include "model-exporter.title" . | quote }}
    titleLink: '{{ `{{ (index .Alerts 0).Annotations.dashboard_url }}` }}'
    text: {{ include "model-exporter.text" . | quote }}
    color: '{{ `{{ if eq .Status "resolved" }}good{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}` }}'
{{- end }}
{{- if .msteams.webhookURL }}
msteamsv2Configs:
  - webhookURL:
      {{- toYaml .msteams.webhookURL | nindent 6 }}
    sendResolved: true
    title: {{ include "model-exporter.title" . | quote }}
    text: {{ include "model-exporter.text" . | quote }}
{{- end }}
{{- if .email.to }}
emailConfigs:
  - to: {{ .email.to | quote }}
    sendResolved: true
    headers:
      - key: Subject
        value: {{ include "model-exporter.title" . | quote }}
    text: {{ include "model-exporter.text" . | quote }}
{{- end }}
{{- end }}

{{/* In the words of the alerts: an AlertmanagerConfig cannot carry files of templates. */}}
{{- define "model-exporter.title" -}}
{{ `{{ if eq .Status "resolved" }}Resolved{{ else }}{{ .CommonLabels.severity | title }}{{ end }}: {{ .GroupLabels.alertname }}{{ with .CommonLabels.model_name }}, model {{ . }}{{ end }}{{ if gt (len .Alerts) 1 }} ({{ len .Alerts }} alerts){{ end }}` }}
{{- end }}

{{- define "model-exporter.text" -}}
{{ `{{ range .Alerts }}{{ .Annotations.description }}
Since {{ .StartsAt.Format "2006-01-02 15:04 MST" }}. {{ with .Annotations.runbook_url }}What to do: {{ . }}{{ end }}
{{ end }}` }}
{{- end }}

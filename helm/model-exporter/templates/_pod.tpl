{{/* A probe has no user or certificate to show: where the port asks for one, it only connects. */}}
{{- define "model-exporter.probe" -}}
{{- if (first .).Values.webConfig.existingSecret -}}
tcpSocket: {port: metrics}
{{- else -}}
httpGet: {path: {{ last . }}, port: metrics}
{{- end }}
{{- end }}

{{/* The pod of the job, the same with and without a volume for its state. */}}
{{- define "model-exporter.podTemplate" -}}
metadata:
  labels:
    {{- include "model-exporter.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: model-exporter
    # A changed configuration is a new pod.
    checksum/config: {{ list (include "model-exporter.config" .) .Values.files | toJson | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "model-exporter.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- $values := .Values }}
  {{- range $key := list "imagePullSecrets" "initContainers" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" "runtimeClassName" "schedulerName" "hostAliases" "dnsPolicy" "dnsConfig" }}
  {{- with get $values $key }}
  {{- dict $key . | toYaml | nindent 2 }}
  {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: model-exporter
      image: {{ include "model-exporter.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args:
        - serve
        - --config=/etc/model-exporter/exporter.yml
        {{- if .Values.webConfig.existingSecret }}
        - --web.config.file=/run/web/{{ .Values.webConfig.key }}
        {{- end }}
        {{- with .Values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: 9920
          protocol: TCP
      livenessProbe:
        {{- include "model-exporter.probe" (list . "/-/healthy") | nindent 8 }}
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe:
        {{- include "model-exporter.probe" (list . "/-/ready") | nindent 8 }}
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - {name: config, mountPath: /etc/model-exporter, readOnly: true}
        - {name: state, mountPath: /var/lib/model-exporter}
        - {name: tmp, mountPath: /tmp}
        {{- if .Values.webConfig.existingSecret }}
        - {name: web, mountPath: /run/web, readOnly: true}
        {{- end }}
        {{- range .Values.secretMounts }}
        - {name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" }}, mountPath: /run/secrets/{{ .name }}, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "model-exporter.fullname" . }}
    - name: tmp
      emptyDir: {}
    {{- with .Values.webConfig.existingSecret }}
    - name: web
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- range .Values.secretMounts }}
    - name: {{ printf "secret-%s" .name | trunc 63 | trimSuffix "-" }}
      secret: {secretName: {{ .name }}, defaultMode: 0440}
    {{- end }}
    {{- with .Values.persistence }}
    {{- if not .enabled }}
    - name: state
      emptyDir: {{ if .emptyDirSizeLimit }}{sizeLimit: {{ .emptyDirSizeLimit }}}{{ else }}{}{{ end }}
    {{- else if .existingClaim }}
    - name: state
      persistentVolumeClaim: {claimName: {{ .existingClaim }}}
    {{- end }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

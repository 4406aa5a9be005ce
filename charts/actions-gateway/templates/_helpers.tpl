{{/* Names are fixed, not derived from the release: a cluster holds one manager, and roles and policies name it. */}}
{{- define "actions-gateway.name" -}}
actions-gateway-gmc
{{- end }}

{{/* Labels that select the manager's pods. */}}
{{- define "actions-gateway.selectorLabels" -}}
app.kubernetes.io/name: actions-gateway
app.kubernetes.io/component: gmc
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "actions-gateway.labels" -}}
{{ include "actions-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* Full reference of an image: dict "root" $ "image" .Values.gmc.image */}}
{{- define "actions-gateway.image" -}}
{{- $defaults := .root.Values.image -}}
{{- $name := .image.repository -}}
{{- if $defaults.registry -}}
{{- $name = printf "%s/%s" $defaults.registry $name -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.image.tag | default $defaults.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "hearth.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "hearth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "hearth.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "hearth.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hearth.selector" -}}
app.kubernetes.io/name: {{ include "hearth.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hearth.labels" -}}
{{ include "hearth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hearth.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "hearth.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Names by which the control plane is called inside the cluster, and those that the values add. */}}
{{- define "hearth.allowedHosts" -}}
{{- $service := printf "%s-api" (include "hearth.fullname" .) -}}
{{- $own := list $service (printf "%s.%s" $service .Release.Namespace) (printf "%s.%s.svc" $service .Release.Namespace) -}}
{{- concat $own .Values.api.allowedHosts | join "," -}}
{{- end -}}

{{/* What can be seen to go wrong before anything is installed. */}}
{{- define "hearth.check" -}}
{{- $scaled := ne .Values.autoscaling.by "none" -}}
{{- $many := or (eq .Values.kind "DaemonSet") $scaled (gt (int .Values.replicas) 1) -}}
{{- if and $many (not .Values.database.secretName) -}}
{{- fail "Several nodes need one database: set database.secretName, or replicas: 1 (kind StatefulSet, autoscaling.by none)." -}}
{{- end -}}
{{- if and .Values.database.secretName (not .Values.secretsKey.secretName) -}}
{{- fail "Nodes of one database need one key for the secrets of functions: set secretsKey.secretName." -}}
{{- end -}}
{{- if and .Values.amqp.secretName (not .Values.database.secretName) -}}
{{- fail "amqp hands out work that a database keeps: set database.secretName too. For answers and triggers of a single node set HEARTH_AMQP_URL in extraEnv." -}}
{{- end -}}
{{- if and $scaled (eq .Values.kind "DaemonSet") -}}
{{- fail "A DaemonSet has as many nodes as there are machines: set autoscaling.by to none, or another kind." -}}
{{- end -}}
{{- if and (eq .Values.sandbox.rights "none") (ne .Values.sandbox.driver "process") -}}
{{- fail "sandbox.rights none permits no isolation: set userNamespace or privileged, or sandbox.driver process to run without any." -}}
{{- end -}}
{{- end -}}

{{- define "hearth.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .from.secretName }}
      key: {{ .from.secretKey }}
{{- end -}}

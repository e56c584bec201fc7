{{/* The pod, the same for all kinds of workload. */}}
{{- define "hearth.pod" -}}
metadata:
  labels:
    {{- include "hearth.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # Settings are read at the start: another text, another pod.
    checksum/settings: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "hearth.serviceAccount" . }}
  # The platform asks nothing of the cluster, and functions must not.
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds .Values.drainSeconds 20 }}
  {{- if eq .Values.sandbox.rights "userNamespace" }}
  hostUsers: false
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1500
    runAsGroup: 1500
    fsGroup: 1500
    fsGroupChangePolicy: OnRootMismatch
  containers:
    - name: hearth
      image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      securityContext:
        readOnlyRootFilesystem: true
        {{- if eq .Values.sandbox.rights "privileged" }}
        privileged: true
        {{- else }}
        allowPrivilegeEscalation: false
        capabilities: { drop: [ALL] }
        {{- if eq .Values.sandbox.rights "userNamespace" }}
        # A namespace may mount a /proc of its own only where it sees one without covers.
        procMount: Unmasked
        seccompProfile: { type: Unconfined }
        appArmorProfile: { type: Unconfined }
        {{- else }}
        seccompProfile: { type: RuntimeDefault }
        {{- end }}
        {{- end }}
      envFrom:
        - configMapRef: { name: {{ include "hearth.fullname" . }} }
      env:
        - name: HEARTH_NODE_NAME
          valueFrom: { fieldRef: { fieldPath: {{ ternary "spec.nodeName" "metadata.name" (eq .Values.kind "DaemonSet") }} } }
        {{- if .Values.database.secretName }}
        {{- include "hearth.secretEnv" (dict "name" "HEARTH_DATABASE_URL" "from" .Values.database) | nindent 8 }}
        {{- end }}
        {{- if .Values.amqp.secretName }}
        {{- include "hearth.secretEnv" (dict "name" "HEARTH_AMQP_URL" "from" .Values.amqp) | nindent 8 }}
        {{- end }}
        {{- if .Values.secretsKey.secretName }}
        {{- include "hearth.secretEnv" (dict "name" "HEARTH_SECRETS_KEY" "from" .Values.secretsKey) | nindent 8 }}
        {{- end }}
        {{- include "hearth.secretEnv" (dict "name" "HEARTH_API_ADMIN_TOKEN" "from" .Values.adminToken) | nindent 8 }}
        {{- with .Values.extraEnv }}{{ toYaml . | nindent 8 }}{{ end }}
      ports:
        - { name: gateway, containerPort: 5000 }
        - { name: api, containerPort: 8000 }
      # It listens when it has what it needs; building the default layer takes minutes on a slow network.
      startupProbe:
        httpGet: { path: /health, port: api }
        periodSeconds: 2
        failureThreshold: 300
      # Alive, whatever its database and broker are: what is known goes on running without them, and a restart brings neither back.
      livenessProbe:
        httpGet: { path: /health, port: api }
        periodSeconds: 10
        timeoutSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /ready, port: api }
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      lifecycle:
        # It is taken out of the services at the same time, and who balances hears of it a little later.
        preStop: { exec: { command: [sleep, {{ .Values.preStopSeconds | quote }}] } }
      resources: {{ toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /var/lib/hearth }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: tmp
      emptyDir: { medium: Memory, sizeLimit: 256Mi }
    {{- if not (and (eq .Values.kind "StatefulSet") .Values.persistence.enabled) }}
    - name: data
      emptyDir: { sizeLimit: {{ .Values.ephemeralSize }} }
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.affinity }}
  affinity: {{ toYaml .Values.affinity | nindent 4 }}
  {{- else if ne .Values.kind "DaemonSet" }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels: {{ include "hearth.selector" . | nindent 16 }}
  {{- end }}
{{- end -}}

"""What is broken of language models, by the check that names it."""

from breaking import Break, alarm, contained, default, put, remove, told

ASKS, SLOTS = ("app", "ModelWorkerTask"), ("CTISCRAPER_MODEL_SLOTS", "1")
RIGHTS = ("Policies", 0, "PolicyDocument", "Statement")
MUTANTS: dict[str, tuple[str, Break]] = {
    "a setting of models cannot be set": ("models", told(ASKS, "model-worker", *SLOTS)),
    "a setting of models has no parameter": (
        "models",
        lambda stacks: stacks["app"]["Parameters"].pop("ModelPriceOut"),
    ),
    "a budget is another by itself": ("models", default("ModelDayTokens", "1")),
    "the model is sought elsewhere": ("models", default("ModelUrl", "http://other:11434")),
    "a named model is asked by nobody": ("models", remove("app", "ModelWorkerService")),
    "another model is watched": (
        "models",
        lambda stacks: stacks["observability"]["Parameters"]["Model"].update(Default="other"),
    ),
    "a task may be ended while it waits for an answer": (
        "models",
        put("app", "ModelWorkerTaskRole", *RIGHTS, 0, "Action", value=["ecs:ListTasks"]),
    ),
    "any task may be protected": (
        "models",
        put("app", "ModelWorkerTaskRole", *RIGHTS, 0, "Resource", value=["arn:aws:ecs:*"]),
    ),
    "others may protect tasks": (
        "models",
        put("app", "WorkerTaskRole", *RIGHTS, 0, "Action", value=["ecs:UpdateTaskProtection"]),
    ),
    "answers are thrown away": (
        "models",
        put(
            "app",
            "ModelWorkerService",
            "CapacityProviderStrategy",
            value=[{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}],
        ),
    ),
    "what asks models is given the password of Redis": (
        "models",
        contained(ASKS, "prepare", "Secrets", [{"Name": "REDIS_PASSWORD", "ValueFrom": "arn"}]),
    ),
    "what asks models is not the product": (
        "models",
        contained(ASKS, "model-worker", "Image", "ollama/ollama:latest"),
    ),
    "what asks models collects": (
        "commands",
        contained(ASKS, "model-worker", "Command", ["worker"]),
    ),
    "what asks models has no time to stop": (
        "stopping",
        contained(ASKS, "model-worker", "StopTimeout", 5),
    ),
    "what asks models is scaled by a metric of nobody": (
        "scaling",
        put(
            "app",
            "ModelWorkerScalingPolicy",
            "TargetTrackingScalingPolicyConfiguration",
            "CustomizedMetricSpecification",
            "Metrics",
            0,
            "MetricStat",
            "Metric",
            "MetricName",
            value="ModelBacklog",
        ),
    ),
    "silence of what asks models is health": (
        "alarms",
        alarm("ModelWorkerDown", "TreatMissingData", value="notBreaching"),
    ),
}

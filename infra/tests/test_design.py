"""The plan, line by line: what the system is made of."""

import re

from model import asking, attributes, load, text, variables
from planned import line

PROD = load("prod")
WEB, WORKER, SCHEDULER, OLLAMA = (
    "app.WebTask",
    "app.WorkerTask",
    "app.SchedulerTask",
    "app.OllamaTask",
)
DATABASE, REDIS, BUCKET = "data.Database", "data.Redis", "data.DataBucket"
COMPONENTS, FEATURES = "Application Components", "Key Features"


def size(task: str) -> tuple[str, str]:
    return PROD[task]["Cpu"], PROD[task]["Memory"]


def counts(service: str) -> tuple[int, int]:
    target = PROD[f"app.{service}Scaling"]
    assert target["ResourceId"].endswith(f"app.{service}Service.Name")
    return target["MinCapacity"], target["MaxCapacity"]


def is_on_fargate(name: str) -> bool:
    service, task = PROD[f"app.{name}Service"], PROD[f"app.{name}Task"]
    providers = {s["CapacityProvider"] for s in service["CapacityProviderStrategy"]}
    return providers <= {"FARGATE", "FARGATE_SPOT"} and task["RequiresCompatibilities"] == [
        "FARGATE"
    ]


def command(task: str, name: str) -> list[str]:
    found: list[str] = PROD.container(task, name)["Command"]
    return found


@line(COMPONENTS, "FastAPI Web Application (Python 3.11) - Main web interface and API", at=WEB)
@line(FEATURES, "Async FastAPI with dashboards and JSON APIs", at=WEB)
def test_the_web_application_runs_on_python_3_11() -> None:
    assert command(WEB, "web")[0] == "web"
    assert "FROM python:3.11-" in text("Dockerfile")
    assert "fastapi" in text("pyproject.toml")


@line(COMPONENTS, "PostgreSQL Database - Primary data storage with async support", at=DATABASE)
def test_postgresql_is_the_primary_storage_of_every_process() -> None:
    for task, name in ((WEB, "web"), (WORKER, "worker"), (SCHEDULER, "scheduler")):
        url = variables(PROD.container(task, name))["DATABASE_URL"]
        assert "@data.Database.Endpoint.Address:5432/" in url


@line(COMPONENTS, "Redis Cache - Celery task queue and caching", at=REDIS)
def test_redis_carries_the_messages_of_celery() -> None:
    for task, name in ((WEB, "web"), (WORKER, "worker"), (SCHEDULER, "scheduler")):
        url = variables(PROD.container(task, name))["REDIS_URL"]
        assert url == "rediss://data.Redis.PrimaryEndPoint.Address:6379/0"


@line(COMPONENTS, "Celery Workers - Background task processing for content scraping", at=WORKER)
@line(FEATURES, "Background task processing with Celery", at=WORKER)
def test_workers_process_in_the_background() -> None:
    assert command(WORKER, "worker") == ["worker"]
    assert "celery" in text("pyproject.toml")


@line(COMPONENTS, "Celery Beat Scheduler - Periodic task scheduling", at=SCHEDULER)
def test_beat_schedules() -> None:
    assert command(SCHEDULER, "scheduler") == ["beat"]


@line(COMPONENTS, "Ollama LLM Service - Local LLM for content analysis", at=OLLAMA)
def test_the_model_runs_in_the_same_network() -> None:
    model = PROD.container(OLLAMA, "ollama")
    assert model["Image"] == "registry.OllamaRepository.RepositoryUri:app.OllamaTag"
    assert PROD["app.OllamaName"]["NamespaceId"] == "app.Names.Id"
    for task, name in ((WEB, "web"), (WORKER, "worker")):
        told = variables(PROD.container(task, name))
        assert told["CTISCRAPER_MODEL_URL"] == "app.ModelUrl"
        assert told["CTISCRAPER_MODEL"] == "app.Model"
    address = PROD.stacks["app"]["Parameters"]["ModelUrl"]["Default"]
    assert address == "http://ollama.cti-scraper.internal:11434"
    asks = asking("prod").container("app.ModelWorkerTask", "model-worker")
    assert asks["Command"] == ["model-worker"]


@line(COMPONENTS, "Nginx Reverse Proxy - Load balancing and SSL termination", at=WEB)
def test_nginx_stands_before_web() -> None:
    door = PROD.container(WEB, "nginx")
    assert door["Image"] == "registry.WebRepository.RepositoryUri:proxy-app.ImageTag"
    assert variables(door)["NGINX_UPSTREAM"] == "127.0.0.1:8000"


@line(FEATURES, "RSS + web scraping with structured data extraction", at="src/ctiscraper")
@line(
    FEATURES,
    "Content processing: cleaning, normalization, hashing, deduplication",
    at="src/ctiscraper",
)
@line(FEATURES, "Robots.txt compliance with per-source configuration", at="src/ctiscraper")
@line(FEATURES, "Source tiering system (premium/standard/basic)", at="src/ctiscraper")
def test_the_image_holds_the_whole_product() -> None:
    assert "COPY src ./src" in text("Dockerfile")
    assert {
        PROD.container(t, n)["Image"].split(":")[-1]
        for t, n in ((WEB, "web"), (WORKER, "worker"), (SCHEDULER, "scheduler"))
    } == {"app.ImageTag"}
    for part in ("collect/robots.py", "extract/structured.py", "extract/fingerprint.py"):
        assert text(f"src/ctiscraper/{part}")


@line("Web Application Service", "Service Type: ECS Fargate", at="app.WebService")
def test_web_is_on_fargate() -> None:
    assert is_on_fargate("Web")


@line("Web Application Service", "CPU: 1 vCPU", at=WEB)
@line("Web Application Service", "Memory: 2 GB", at=WEB)
def test_web_has_one_cpu_and_two_gigabytes() -> None:
    assert size(WEB) == ("1024", "2048")


@line("Web Application Service", "Desired Count: 2-10 (auto-scaling)", at="app.WebScaling")
def test_web_scales_from_2_to_10() -> None:
    assert counts("Web") == (2, 10)
    assert "DesiredCount" not in PROD["app.WebService"].properties


@line("Web Application Service", "Health Check: /health endpoint", at="app.WebTargets")
@line("Load Balancer", "Health Check: /health endpoint", at="app.WebTargets")
@line("Load Balancer Configuration", "Configure health checks", at="app.WebTargets")
def test_the_load_balancer_asks_for_health() -> None:
    targets = PROD["app.WebTargets"]
    assert targets["HealthCheckPath"] == "/health"
    assert targets["HealthCheckEnabled"] is True


@line(
    "Web Application Service",
    "Load Balancer: Application Load Balancer (ALB)",
    at="app.LoadBalancer",
)
def test_web_is_behind_the_load_balancer() -> None:
    assert PROD["app.WebService"]["LoadBalancers"] == [
        {"ContainerName": "nginx", "ContainerPort": 8080, "TargetGroupArn": "app.WebTargets"}
    ]


@line("Worker Service", "Service Type: ECS Fargate", at="app.WorkerService")
def test_workers_are_on_fargate() -> None:
    assert is_on_fargate("Worker")


@line("Worker Service", "CPU: 1 vCPU", at=WORKER)
@line("Worker Service", "Memory: 2 GB", at=WORKER)
def test_workers_have_one_cpu_and_two_gigabytes() -> None:
    assert size(WORKER) == ("1024", "2048")


@line(
    "Worker Service",
    "Desired Count: 2-5 (auto-scaling based on queue depth)",
    at="app.WorkerScalingPolicy",
)
def test_workers_scale_from_2_to_5_by_their_queue() -> None:
    assert counts("Worker") == (2, 5)
    policy = PROD["app.WorkerScalingPolicy"]["TargetTrackingScalingPolicyConfiguration"]
    backlog, task = policy["CustomizedMetricSpecification"]["Metrics"]
    assert backlog["MetricStat"]["Metric"] == {
        "Namespace": "CTIScraper",
        "MetricName": "BacklogPerWorker",
        "Dimensions": [{"Name": "Environment", "Value": "prod"}],
    }
    assert task["Expression"] == "backlog * 2"
    assert variables(PROD.container(WORKER, "worker"))["CTISCRAPER_WORKERS"] == "2"


@line("Worker Service", "Task Definition: Separate from web service", at=WORKER)
def test_workers_have_a_task_definition_of_their_own() -> None:
    services = [PROD[f"app.{name}Service"] for name in ("Web", "Worker", "Scheduler", "Ollama")]
    assert len({service["TaskDefinition"] for service in services}) == len(services)


@line("Scheduler Service", "Service Type: ECS Fargate", at="app.SchedulerService")
def test_the_scheduler_is_on_fargate() -> None:
    assert is_on_fargate("Scheduler")


@line("Scheduler Service", "CPU: 0.5 vCPU", at=SCHEDULER)
@line("Scheduler Service", "Memory: 1 GB", at=SCHEDULER)
def test_the_scheduler_has_half_a_cpu_and_one_gigabyte() -> None:
    assert size(SCHEDULER) == ("512", "1024")


@line(
    "Scheduler Service",
    "Desired Count: 1 (single instance for consistency)",
    at="app.SchedulerService",
)
def test_there_is_one_scheduler_even_while_it_is_replaced() -> None:
    service = PROD["app.SchedulerService"]
    assert service["DesiredCount"] == 1
    assert service["DeploymentConfiguration"]["MaximumPercent"] == 100
    assert "app.SchedulerScaling" not in PROD


@line("Ollama LLM Service", "Service Type: ECS Fargate", at="app.OllamaService")
def test_the_model_is_on_fargate() -> None:
    assert is_on_fargate("Ollama")


@line("Ollama LLM Service", "CPU: 4 vCPU", at=OLLAMA)
@line("Ollama LLM Service", "Memory: 16 GB", at=OLLAMA)
def test_the_model_has_four_cpus_and_sixteen_gigabytes() -> None:
    assert size(OLLAMA) == ("4096", "16384")


@line("Ollama LLM Service", "Desired Count: 1-2 (based on usage)", at="app.OllamaScaling")
def test_the_model_scales_from_1_to_2() -> None:
    assert counts("Ollama") == (1, 2)


@line(
    "Ollama LLM Service",
    "GPU: Consider EC2 with GPU instances for better performance",
    at="docs/adr/0036-options-of-the-plan.md",
)
def test_gpus_were_considered() -> None:
    assert "g4dn.xlarge" in text("docs/adr/0036-options-of-the-plan.md")


@line("PostgreSQL Database", "Engine: PostgreSQL 15.x", at=DATABASE)
def test_the_engine_is_postgresql_15() -> None:
    assert (PROD[DATABASE]["Engine"], PROD[DATABASE]["EngineVersion"]) == ("postgres", "15")
    assert PROD["data.DatabaseParameters"]["Family"] == "postgres15"


@line("PostgreSQL Database", "Instance Class: db.t3.medium (2 vCPU, 4 GB RAM)", at=DATABASE)
@line("Production Environment", "RDS PostgreSQL: ~$100-200 (db.t3.medium)", at=DATABASE)
def test_the_instance_is_medium() -> None:
    assert PROD[DATABASE]["DBInstanceClass"] == "db.t3.medium"


@line("Development Environment", "RDS PostgreSQL: ~$30-50 (db.t3.small)", at=DATABASE)
def test_the_instance_of_development_is_small() -> None:
    assert load("dev")[DATABASE]["DBInstanceClass"] == "db.t3.small"


@line("PostgreSQL Database", "Storage: 100 GB GP3 with auto-scaling", at=DATABASE)
def test_storage_is_gp3_and_grows() -> None:
    database = PROD[DATABASE]
    assert (database["AllocatedStorage"], database["StorageType"]) == ("100", "gp3")
    assert database["MaxAllocatedStorage"] > 100


@line("PostgreSQL Database", "Multi-AZ: Enabled for high availability", at=DATABASE)
def test_the_database_is_in_two_zones() -> None:
    assert PROD[DATABASE]["MultiAZ"] is True


@line("PostgreSQL Database", "Backup: 7-day retention with point-in-time recovery", at=DATABASE)
@line("Backup Strategy", "Database: Automated daily backups with 7-day retention", at=DATABASE)
def test_backups_are_kept_for_seven_days() -> None:
    assert PROD[DATABASE]["BackupRetentionPeriod"] == 7
    assert PROD[DATABASE]["DeleteAutomatedBackups"] is False


@line("PostgreSQL Database", "Encryption: At rest and in transit", at=DATABASE)
def test_the_database_is_encrypted() -> None:
    assert PROD[DATABASE]["StorageEncrypted"] is True
    assert PROD["data.DatabaseParameters"]["Parameters"]["rds.force_ssl"] == "1"
    url = variables(PROD.container(WEB, "web"))["DATABASE_URL"]
    assert "sslmode=verify-full" in url


@line(
    "PostgreSQL Database",
    "Connection Pooling: Consider RDS Proxy for connection management",
    at="docs/adr/0036-options-of-the-plan.md",
)
def test_a_proxy_was_considered() -> None:
    assert "RDS Proxy" in text("docs/adr/0036-options-of-the-plan.md")
    assert PROD.of("RDS::DBProxy") == []


@line("Redis Cluster", "Engine: Redis 7.x", at=REDIS)
def test_the_engine_is_redis_7() -> None:
    assert PROD[REDIS]["Engine"] == "redis"
    assert PROD[REDIS]["EngineVersion"].startswith("7.")
    assert PROD["data.RedisParameters"]["CacheParameterGroupFamily"] == "redis7"


@line("Redis Cluster", "Node Type: cache.t3.micro (1 vCPU, 0.5 GB RAM)", at=REDIS)
def test_the_node_is_micro() -> None:
    assert PROD[REDIS]["CacheNodeType"] == "cache.t3.micro"


@line("Redis Cluster", "Cluster Mode: Disabled (single node for Celery)", at=REDIS)
def test_there_is_one_node_without_cluster_mode() -> None:
    assert PROD[REDIS]["ClusterMode"] == "disabled"
    assert PROD[REDIS]["NumCacheClusters"] == 1
    assert PROD[REDIS]["AutomaticFailoverEnabled"] is False


@line("Redis Cluster", "Backup: Daily snapshots", at=REDIS)
def test_redis_is_copied_daily() -> None:
    assert PROD[REDIS]["SnapshotRetentionLimit"] >= 1
    assert re.fullmatch(r"\d\d:\d\d-\d\d:\d\d", PROD[REDIS]["SnapshotWindow"])


@line("Redis Cluster", "Encryption: At rest and in transit", at=REDIS)
def test_redis_is_encrypted_and_asks_for_a_password() -> None:
    redis = PROD[REDIS]
    assert redis["TransitEncryptionEnabled"] is True
    assert redis["AtRestEncryptionEnabled"] is True
    assert redis["AuthToken"].startswith("{{resolve:secretsmanager:data.RedisSecret:")


@line("Application Data", "Bucket: cti-scraper-data-{environment}", at=BUCKET)
def test_the_bucket_is_named_after_its_environment() -> None:
    assert PROD[BUCKET]["BucketName"] == "cti-scraper-data-prod-AWS::AccountId"


@line("Application Data", "Purpose: Configuration files, logs, backups", at=BUCKET)
@line("Configuration Migration", "Move configuration files to S3", at=BUCKET)
def test_what_is_kept_and_what_is_logged_are_in_buckets() -> None:
    store = variables(PROD.container(WORKER, "worker"))["CTISCRAPER_RAW_STORE"]
    assert store == "s3://data.DataBucket/raw"
    assert PROD[BUCKET]["LoggingConfiguration"]["DestinationBucketName"] == "data.LogBucket"
    balancer = attributes(PROD["app.LoadBalancer"], "LoadBalancerAttributes")
    assert balancer["access_logs.s3.bucket"] == "data.LogBucket"


@line("Application Data", "Encryption: AES-256", at=BUCKET)
def test_every_bucket_is_encrypted() -> None:
    for bucket in PROD.of("S3::Bucket"):
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


@line("Application Data", "Lifecycle: Intelligent tiering", at=BUCKET)
def test_objects_find_the_cheapest_place() -> None:
    rules = PROD[BUCKET]["LifecycleConfiguration"]["Rules"]
    moved = [t["StorageClass"] for rule in rules for t in rule.get("Transitions", [])]
    assert moved == ["INTELLIGENT_TIERING"]


@line("Container Images", "Registry: Amazon ECR", at="registry")
@line("Container Registry", "Create ECR repositories", at="registry")
@line("Repositories", "cti-scraper/web", at="registry.WebRepository")
@line("Repositories", "cti-scraper/worker", at="registry.WorkerRepository")
@line("Repositories", "cti-scraper/scheduler", at="registry.SchedulerRepository")
@line("Repositories", "cti-scraper/ollama", at="registry.OllamaRepository")
def test_there_is_a_repository_for_each_service() -> None:
    names = {repository["RepositoryName"] for repository in PROD.of("ECR::Repository")}
    assert names == {f"cti-scraper/{s}" for s in ("web", "worker", "scheduler", "ollama")}

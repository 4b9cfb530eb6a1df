"""What permissions are called, and what is said to whoever has not the one that he needs."""

from ctiscraper.identity import GRANTS, Permission, Principal, Role

SCOPE_WORDS: dict[Permission, tuple[str, str]] = {
    Permission.ARTICLE_READ: ("Read", "articles, indicators, stories and searches"),
    Permission.ARTICLE_EXPORT: ("Export", "results as files: CSV, NDJSON, layers"),
    Permission.ARTICLE_ANNOTATE: ("Annotate", "tags, notes, states and assignees"),
    Permission.ARTICLE_SUBMIT: ("Submit", "addresses to be collected"),
    Permission.ARTICLE_REPROCESS: ("Read again", "stored articles, and what they name"),
    Permission.ANALYSIS_WRITE: ("Ask models", "about articles, and judge what they say"),
    Permission.VERDICT_WRITE: ("Judge", "values and domains, for the whole team"),
    Permission.STORY_WRITE: ("Stories", "split, merge and move them"),
    Permission.WATCHLIST_WRITE: ("Watchlist", "change what the team looks for"),
    Permission.DETECTION_WRITE: ("Detections", "draft Sigma rules and change them"),
    Permission.DETECTION_ACCEPT: ("Accept", "accept and reject Sigma rules"),
    Permission.SOURCE_READ: ("See sources", "with their settings and past"),
    Permission.SOURCE_WRITE: ("Change sources", "add, edit, check and remove them"),
    Permission.OPERATIONS_READ: ("See operations", "queues, workers, accounts, metrics"),
    Permission.QUEUE_WRITE: ("Queue", "retry, discard and release items"),
    Permission.DATA_WRITE: ("Reference data", "install and remove data packs"),
    Permission.SETTINGS_READ: ("See settings", "with where each value comes from"),
    Permission.SETTINGS_WRITE: ("Change settings", "of this installation"),
    Permission.USER_READ: ("See users", "and their roles"),
    Permission.USER_WRITE: ("Change users", "make, change and disable them"),
    Permission.TOKEN_WRITE: ("Everybody's tokens", "see and revoke them"),
    Permission.AUDIT_READ: ("Audit log", "read and export it"),
    Permission.SELF_WRITE: ("Own things", "read marks, stars, saved searches, own tokens"),
}


def not_allowed(principal: Principal, permission: Permission) -> str:
    """Return why this one may not do what needs a permission, and who may."""
    name, more = SCOPE_WORDS[permission]
    needed = f'"{name}" ({more}; {permission})'
    if principal.token_id is not None and (
        principal.role is None or permission in GRANTS[principal.role]
    ):
        return f"this token may not do this: it needs the scope {needed}"
    role = next(role for role in Role if permission in GRANTS[role])
    return (
        f"your role, {principal.role}, may not do this: it needs {needed}, which the role {role} "
        "has; an administrator can give it to you"
    )

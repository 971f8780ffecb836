"""Mix nodes and providers: receive, peel, refuse replays, hold, dispatch or deliver."""

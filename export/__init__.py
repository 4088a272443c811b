"""export: from a reloaded state_dict to artifacts that can be trusted."""

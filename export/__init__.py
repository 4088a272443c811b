"""export: from a module, or a reloaded state_dict, to artifacts that can be trusted."""

"""Export a module, or a reloaded state_dict, to artifacts that are verified before they are kept."""

"""A folder that holds one model in every form: written, checked, loaded with trust, and proved by its vectors."""

"""What a newcomer gets wrong, looked for in one go: one module a subject, each gives findings. Nothing is ever written."""

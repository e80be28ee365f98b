"""What survives a crash: jobs, results, files."""

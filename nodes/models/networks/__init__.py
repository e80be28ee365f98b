"""Networks: loading, patches, devices."""

"""Rows of panels, one file each; the dashboards are made of them."""

"""How the pages of this folder become a site: `make docs`. They read as well without it."""

from importlib.metadata import version as version_of

from docs._site import pages
from sphinx.application import Sphinx

project = "Tocsin"
version = release = version_of("tocsin")
html_title = f"Tocsin {version}"
html_short_title = "Tocsin"
extensions = ["myst_parser"]
exclude_patterns = ["_site", "_static"]
nitpicky = True

myst_enable_extensions = ["attrs_inline", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = html_logo = "_static/tocsin.svg"
html_copy_source = False
html_show_copyright = False
html_use_index = False
html_theme_options = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-foreground-primary": "#1b1b1f",
        "color-foreground-secondary": "#5b5b66",
        "color-brand-primary": "#b3261e",
        "color-brand-content": "#0b57d0",
        "color-brand-visited": "#0b57d0",
        "color-background-secondary": "#f4f4f7",
        "color-background-border": "#e2e2e8",
        "color-sidebar-link-text--top-level": "#1b1b1f",
    },
    "dark_css_variables": {
        "color-foreground-primary": "#e6e6ea",
        "color-foreground-secondary": "#a9a9b4",
        "color-brand-primary": "#f2b8b5",
        "color-brand-content": "#a8c7fa",
        "color-brand-visited": "#a8c7fa",
        "color-background-primary": "#131316",
        "color-background-secondary": "#1b1b1f",
        "color-background-border": "#33333b",
        "color-sidebar-link-text--top-level": "#e6e6ea",
    },
}


def setup(app: Sphinx) -> None:
    """Asked by Sphinx."""
    app.connect("source-read", pages.read)

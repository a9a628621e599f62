"""Which paths hold copies of other people's code, by the names that they usually have.

The list is that of Linguist (``lib/linguist/vendor.yml``), which go-enry has from there. Off in LLaMA's recipe, whose
text names no such rule.
"""

from __future__ import annotations

import re

_TOP_FOLDERS = r"[Dd]ependencies|deps|debian"
_FOLDERS = (
    r"cache|dist|node_modules|\.yarn/(?:releases|plugins|sdks|versions|unplugged)|bower_components"
    r"|Godeps/_workspace|testdata|"
    r"vendors?|[Ee]xtern(?:als?)?|[Vv]+endor|bootstrap-datepicker|\.vscode|ace-builds|MathJax|docs?/_?(?:build"
    r"|themes?|templates?|"
    r"static)|admin_media|env|Carthage|Sparkle|(?:Crashlytics|Fabric|BuddyBuildSDK)\.framework|gradle/wrapper"
    r"|\.mvn/wrapper|"
    r"extjs/(?:\.sencha|docs|builds|cmd|examples|locale|packages|plugins|resources|src|welcome)|[Tt]ests?/fixtures|"
    r"[Ss]pecs?/fixtures|inst/extdata|puphpet|\.google_apis|\.github|\.obsidian|\.teamcity|xvba_modules"
)
_NAMES = (
    r"configure|config\.guess|config\.sub|dotnet-install\.(?:ps1|sh)|_esy|run\.n|fabfile\.py|waf|\.osx"
    r"|\.gitattributes|\.gitignore|"
    r"\.gitmodules|gradlew(?:\.bat)?|mvnw(?:\.cmd)?|html5shiv\.js|Vagrantfile|\.[Dd][Ss]_[Ss]tore"
    r"|activator(?:\.bat)?|"
    r"proguard(?:-rules)?\.pro|Jenkinsfile|\.gitpod\.Dockerfile"
)
# Beginnings of names.
_BEGINNINGS = (
    r"aclocal\.m4|lt(?:options|sugar|version|~obsolete)\.m4|libtool\.m4|cpplint\.py|erlang\.mk|\.indent\.pro|"
    r"\.sublime-(?:project|workspace)|octicons\.css|sprockets-octicons\.scss|(?:Realm|RealmSwift)\.framework"
)
_SCRIPTS = (
    r"bootstrap[^/.]*(?:\..*)?\.(?:js|css|less|scss|styl)|custom\.bootstrap\S*(?:js|css|less|scss|styl)|"
    r"font-?awesome(?:\.|/.*\.)(?:css|less|scss|styl)|(?:foundation|normalize|skeleton)\.(?:css|less|scss|styl)|"
    r"[Bb]ourbon/.*\.(?:css|less|scss|styl)|animate\.(?:css|less|scss|styl)|materialize\.(?:css|less|scss|styl|js)|"
    r"select2/.*\.(?:css|scss|js)|bulma\.(?:css|sass|scss)|jquery[^.]*\.js|jquery-\d\.\d+(?:\.\d+)?\.js|"
    r"jquery-ui(?:-\d\.\d+(?:\.\d+)?)?(?:\.\w+)?\.(?:js|css)|jquery\.(?:ui|effects)\.[^.]*\.(?:js|css)|"
    r"jquery\.fileupload(?:-\w+)?\.js|slick\.\w+.js|Leaflet\.Coordinates-\d+\.\d+\.\d+\.src\.js|prototype.*\.js|"
    r"(?:effects|controls|dragdrop|dojo|MochiKit|ckeditor|Chart|shCore|shLegacy)\.js"
    r"|mootools[^.]*\d+\.\d+.\d+[^.]*\.js|"
    r"yahoo-[^.]*\.js|yui[^.]*\.js|tiny_mce[^.]*\.js|fontello.*?\.css|shBrush[^.]*\.js|angular[^.]*\.js"
    r"|react(?:-[^.]*)?\.js|"
    r"flow-typed/.*\.js|modernizr-\d\.\d+(?:\.\d+)?\.js|modernizr\.custom\.\d+\.js"
    r"|knockout-(?:\d+\.){3}(?:debug\.)?js|"
    r"jquery[^.]*\.validate(?:\.unobtrusive)?\.js|jquery[^.]*\.unobtrusive-ajax\.js|"
    r"[Mm]icrosoft(?:[Mm]vc)?(?:[Aa]jax|[Vv]alidation)(?:\.debug)?\.js|extjs/.*?\.(?:js|xml|txt|html|properties)|"
    r"cordova[^.]*\.js|cordova-\d\.\d(?:\.\d)?\.js|foundation(?:\..*)?\.js"
)
# Beginnings of scripts' names, and what has no end of its own.
_SCRIPT_BEGINNINGS = (
    r"jquery\.fn\.gantt\.js|jquery\.fancybox\.(?:js|css)|fuelux\.js|jquery\.dataTables\.js|bootbox\.js"
    r"|pdf\.worker\.js|"
    r"leaflet\.(?:draw-src\.js|draw\.css|spin\.js)|Control\.FullScreen\.(?:css|js)|wicket-leaflet\.js|"
    r"tiny_mce/(?:langs|plugins|themes|utils)|[Cc]ode[Mm]irror/(?:\d+\.\d+/)?(?:lib|mode|theme|addon|keymap|demo)|"
    r"d3(?:\.v\d+)?[^.]*\.js|[Pp]ackages/.+\.\d+/"
)
_VENDORED = re.compile(
    rf"^(?:{_TOP_FOLDERS})/|^rebar$|(?:^|/)(?:(?:{_FOLDERS})/|(?:{_NAMES})$|{_BEGINNINGS}|(?:{_SCRIPTS})$"
    rf"|{_SCRIPT_BEGINNINGS})"
    r"|[.-]min\.(?:js|css)$|import\.(?:css|less|scss|styl)$|(?:3rd|[Tt]hird)[-_]?[Pp]arty/|\.d\.ts$|\.xctemplate/"
    r"|\.imageset/"
    r"|-vsdoc\.js$|\.intellisense\.js$"
)


def is_vendored(path: str) -> bool:
    """True for a path in a repository under which copies of other people's code lie."""
    return _VENDORED.search(path) is not None

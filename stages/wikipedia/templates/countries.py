"""English names of countries by their three-letter codes (ISO 3166 and those of the Olympic committees)."""

from __future__ import annotations

from functools import lru_cache

from llama_data.stages.wikipedia.templates import locales
from llama_data.stages.wikipedia.templates.call import Call, normal_name

_COUNTRIES = """
AFG Afghanistan|ALB Albania|DZA Algeria|ALG Algeria|AND Andorra|AGO Angola|ANG Angola|ATG Antigua and Barbuda
ARG Argentina|ARM Armenia|ARU Aruba|AUS Australia|AUT Austria|AZE Azerbaijan|BHS Bahamas|BAH Bahamas|BHR Bahrain
BRN Bahrain|BGD Bangladesh|BAN Bangladesh|BRB Barbados|BAR Barbados|BLR Belarus|BEL Belgium|BLZ Belize|BEN Benin
BER Bermuda|BMU Bermuda|BTN Bhutan|BHU Bhutan|BOL Bolivia|BIH Bosnia and Herzegovina|BWA Botswana|BOT Botswana
BRA Brazil|BGR Bulgaria|BUL Bulgaria|BFA Burkina Faso|BUR Burkina Faso|BDI Burundi|KHM Cambodia|CAM Cambodia
CMR Cameroon|CAN Canada|CPV Cape Verde|CAF Central African Republic|TCD Chad|CHA Chad|CHL Chile|CHI Chile|CHN China
COL Colombia|COM Comoros|COG Republic of the Congo|CGO Republic of the Congo
COD Democratic Republic of the Congo|CRI Costa Rica|CRC Costa Rica|CIV Ivory Coast|HRV Croatia|CRO Croatia|CUB Cuba
CYP Cyprus|CZE Czech Republic|TCH Czechoslovakia|DNK Denmark|DEN Denmark|DJI Djibouti|DMA Dominica
DOM Dominican Republic|ECU Ecuador|EGY Egypt|SLV El Salvador|ESA El Salvador|ENG England|GNQ Equatorial Guinea
ERI Eritrea|EST Estonia|ETH Ethiopia|FRO Faroe Islands|FIJ Fiji|FJI Fiji|FIN Finland|FRA France|GAB Gabon|GMB Gambia
GAM Gambia|GEO Georgia|DEU Germany|GER Germany|FRG West Germany|GDR East Germany|GHA Ghana|GIB Gibraltar|GRC Greece
GRE Greece|GRL Greenland|GRD Grenada|GRN Grenada|GTM Guatemala|GUA Guatemala|GIN Guinea|GUI Guinea|GNB Guinea-Bissau
GUY Guyana|HTI Haiti|HAI Haiti|HND Honduras|HON Honduras|HKG Hong Kong|HUN Hungary|ISL Iceland|IND India|IDN Indonesia
INA Indonesia|IRN Iran|IRI Iran|IRQ Iraq|IRL Ireland|ISR Israel|ITA Italy|JAM Jamaica|JPN Japan|JOR Jordan
KAZ Kazakhstan|KEN Kenya|KIR Kiribati|KOS Kosovo|KWT Kuwait|KUW Kuwait|KGZ Kyrgyzstan|LAO Laos|LVA Latvia|LAT Latvia
LBN Lebanon|LIB Lebanon|LSO Lesotho|LES Lesotho|LBR Liberia|LBY Libya|LBA Libya|LIE Liechtenstein|LTU Lithuania
LUX Luxembourg|MAC Macau|MKD North Macedonia|MDG Madagascar|MAD Madagascar|MWI Malawi|MAW Malawi|MYS Malaysia
MAS Malaysia|MDV Maldives|MLI Mali|MLT Malta|MHL Marshall Islands|MRT Mauritania|MTN Mauritania|MUS Mauritius
MRI Mauritius|MEX Mexico|FSM Federated States of Micronesia|MDA Moldova|MCO Monaco|MON Monaco|MNG Mongolia|MGL Mongolia
MNE Montenegro|MAR Morocco|MOZ Mozambique|MMR Myanmar|MYA Myanmar|NAM Namibia|NRU Nauru|NEP Nepal|NPL Nepal
NLD Netherlands|NED Netherlands|NZL New Zealand|NIC Nicaragua|NCA Nicaragua|NER Niger|NIG Niger|NGA Nigeria
NGR Nigeria|PRK North Korea|NIR Northern Ireland|NOR Norway|OMN Oman|OMA Oman|PAK Pakistan|PLW Palau|PSE Palestine
PLE Palestine|PAN Panama|PNG Papua New Guinea|PRY Paraguay|PAR Paraguay|PER Peru|PHL Philippines|PHI Philippines
POL Poland|PRT Portugal|POR Portugal|PRI Puerto Rico|PUR Puerto Rico|QAT Qatar|ROU Romania|ROM Romania|RUS Russia
RWA Rwanda|KNA Saint Kitts and Nevis|SKN Saint Kitts and Nevis|LCA Saint Lucia
VCT Saint Vincent and the Grenadines|WSM Samoa|SAM Samoa|SMR San Marino|STP São Tomé and Príncipe|SAU Saudi Arabia
KSA Saudi Arabia|SCO Scotland|SEN Senegal|SRB Serbia|SCG Serbia and Montenegro|SYC Seychelles|SEY Seychelles
SLE Sierra Leone|SGP Singapore|SIN Singapore|SVK Slovakia|SVN Slovenia|SLO Slovenia|SLB Solomon Islands
SOL Solomon Islands|SOM Somalia|ZAF South Africa|RSA South Africa|KOR South Korea|SSD South Sudan|URS Soviet Union
ESP Spain|LKA Sri Lanka|SRI Sri Lanka|SDN Sudan|SUD Sudan|SUR Suriname|SWZ Eswatini|SWE Sweden|CHE Switzerland
SUI Switzerland|SYR Syria|TWN Taiwan|TPE Chinese Taipei|TJK Tajikistan|TZA Tanzania|TAN Tanzania|THA Thailand
TLS East Timor|TGO Togo|TOG Togo|TON Tonga|TGA Tonga|TTO Trinidad and Tobago|TRI Trinidad and Tobago|TUN Tunisia
TUR Turkey|TKM Turkmenistan|TUV Tuvalu|UGA Uganda|UKR Ukraine|ARE United Arab Emirates|UAE United Arab Emirates
GBR United Kingdom|USA United States|URY Uruguay|URU Uruguay|UZB Uzbekistan|VUT Vanuatu|VAN Vanuatu|VAT Vatican City
VEN Venezuela|VNM Vietnam|VIE Vietnam|WAL Wales|YEM Yemen|YUG Yugoslavia|ZMB Zambia|ZAM Zambia|ZWE Zimbabwe
ZIM Zimbabwe|ABW Aruba|AIA Anguilla|ASM American Samoa|BVT Bouvet Island|COK Cook Islands|CUW Curaçao|CUR Curaçao
CYM Cayman Islands|ESH Western Sahara|FLK Falkland Islands|GGY Guernsey|GLP Guadeloupe|GUF French Guiana|GUM Guam
IOM Isle of Man|IMN Isle of Man|JEY Jersey|MAF Saint Martin|MSR Montserrat|MTQ Martinique|NCL New Caledonia
PYF French Polynesia|REU Réunion|SGS South Georgia and the South Sandwich Islands|SHN Saint Helena|SXM Sint Maarten
TCA Turks and Caicos Islands|VGB British Virgin Islands|VIR United States Virgin Islands|UK United Kingdom
"""
COUNTRIES = {
    code.lower(): name
    for line in _COUNTRIES.strip().split("\n")
    for code, _, name in (entry.partition(" ") for entry in line.split("|"))
}


def country(call: Call) -> str:
    """``{{flag|GER}}`` → "Germany", ``{{flag|Spain}}`` → "Spain"; on other wikis than the English what is given."""
    value = call.get("name", 1)
    if call.language != "en":
        return value
    return COUNTRIES.get(value.lower(), value)


@lru_cache(maxsize=1024)
def local_name(code: str, language: str) -> str:
    """The country of a three-letter code in the wiki's language; empty when CLDR does not know it."""
    name = COUNTRIES.get(code.lower(), "")
    codes = [code, *(other.upper() for other, country in COUNTRIES.items() if country == name)]
    return next((found for other in codes if (found := locales.territory(other, language))), "")


def local_country(call: Call) -> str:
    """``{{ROU}}`` → "Romania" with its flag, as on the Italian, Spanish and Portuguese wikis."""
    return call.get("nome", "name") or local_name(normal_name(call.name).upper(), call.language)


def named_country(call: Call) -> str:
    """``{{GER}}`` → "Germany": the code is the name."""
    return call.get("name") or COUNTRIES[normal_name(call.name)]
